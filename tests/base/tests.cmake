ckpt_test(base DEPENDS validator/base)
