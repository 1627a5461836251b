ckpt_test(quant DEPENDS validator/quant validator/arch validator/container validator/config validator/repo)
