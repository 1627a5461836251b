ckpt_test(e2e DEPENDS validator/pipeline LIBRARIES ckpt_cuda_emulated)
ckpt_gpu_test(e2e cuda_test.cpp DEPENDS validator/pipeline)
