ckpt_test(container DEPENDS validator/container validator/repo)
