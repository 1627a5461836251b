ckpt_test(weights DEPENDS validator/weights validator/results)
