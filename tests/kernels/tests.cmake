# The CUDA backend compiled for the processor, so that its tests need no device.
file(GLOB cuda_sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/kernels/cuda/*.cpp
  ${PROJECT_SOURCE_DIR}/kernels/cuda/*.cu)
list(FILTER cuda_sources EXCLUDE REGEX "plugin")
add_library(ckpt_cuda_emulated STATIC kernels/emulator/emulator.cpp ${cuda_sources})
file(GLOB cuda_kernels ${PROJECT_SOURCE_DIR}/kernels/cuda/*.cu)
set_source_files_properties(${cuda_kernels} PROPERTIES LANGUAGE CXX)
target_include_directories(ckpt_cuda_emulated PUBLIC kernels/emulator)
target_compile_definitions(ckpt_cuda_emulated PUBLIC CKPT_CUDA_EMULATED)
target_link_libraries(ckpt_cuda_emulated PUBLIC ckpt_kernels)
ckpt_test(kernels DEPENDS kernels LIBRARIES ckpt_cuda_emulated)
ckpt_gpu_test(kernels gemm_test.cpp mixer_test.cpp ops_test.cpp vision_ops_test.cpp DEPENDS kernels)
