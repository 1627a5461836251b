# Benchmarks are built with the tests and run by hand: they compare, they do not pass or fail.
find_library(CKPT_OPENBLAS openblas)
add_executable(bench_gemm EXCLUDE_FROM_ALL ${CMAKE_CURRENT_SOURCE_DIR}/bench/gemm_bench.cpp)
target_link_libraries(bench_gemm PRIVATE ckpt_kernels ckpt_cuda_emulated)
if(CKPT_OPENBLAS)
  target_compile_definitions(bench_gemm PRIVATE CKPT_HAVE_CBLAS)
  target_link_libraries(bench_gemm PRIVATE ${CKPT_OPENBLAS})
endif()
add_executable(bench_kl EXCLUDE_FROM_ALL ${CMAKE_CURRENT_SOURCE_DIR}/bench/kl_bench.cpp)
target_link_libraries(bench_kl PRIVATE ckpt_validator_pipeline)
add_executable(bench_decode EXCLUDE_FROM_ALL ${CMAKE_CURRENT_SOURCE_DIR}/bench/decode_bench.cpp)
target_link_libraries(bench_decode PRIVATE ckpt_validator_pipeline)
add_executable(bench_viewer EXCLUDE_FROM_ALL ${CMAKE_CURRENT_SOURCE_DIR}/bench/viewer_bench.cpp)
target_link_libraries(bench_viewer PRIVATE ckpt_gui_state)
if(TARGET ckpt_cuda)
  find_package(CUDAToolkit REQUIRED)
  add_executable(bench_gpu EXCLUDE_FROM_ALL ${CMAKE_CURRENT_SOURCE_DIR}/bench/gpu/gpu_bench.cu
    ${PROJECT_SOURCE_DIR}/kernels/cuda/runtime.cpp $<TARGET_OBJECTS:ckpt_cuda_kernels>)
  # The flags of C++ warnings are not nvcc's, so what they bring is named here one by one.
  target_include_directories(bench_gpu PRIVATE ${PROJECT_SOURCE_DIR})
  target_link_libraries(bench_gpu PRIVATE CUDA::cublas fmt::fmt)
  set_target_properties(bench_gpu PROPERTIES CUDA_STANDARD 20 CUDA_RUNTIME_LIBRARY Static
    CUDA_ARCHITECTURES "${CMAKE_CUDA_ARCHITECTURES}")
  target_compile_options(bench_gpu PRIVATE
    $<$<COMPILE_LANGUAGE:CUDA>:--extended-lambda --expt-relaxed-constexpr>)
endif()
