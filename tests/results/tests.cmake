ckpt_test(results DEPENDS validator/results validator/base)
