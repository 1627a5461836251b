ckpt_test(arch DEPENDS validator/arch validator/config validator/repo)
