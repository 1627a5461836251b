ckpt_test(forward DEPENDS validator/pipeline)
