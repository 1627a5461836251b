ckpt_test(images DEPENDS validator/images)
