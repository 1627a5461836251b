ckpt_test(forward DEPENDS validator/pipeline LIBRARIES ckpt_cuda_emulated)
