ckpt_test(loaders DEPENDS validator/loaders validator/arch validator/config validator/repo)
