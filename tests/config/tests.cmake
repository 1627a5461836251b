ckpt_test(config DEPENDS validator/config validator/repo)
