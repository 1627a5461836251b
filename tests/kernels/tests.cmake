ckpt_test(kernels DEPENDS kernels)
