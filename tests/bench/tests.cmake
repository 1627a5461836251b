# Benchmarks are built with the tests and run by hand: they compare, they do not pass or fail.
find_library(CKPT_OPENBLAS openblas)
add_executable(bench_gemm EXCLUDE_FROM_ALL ${CMAKE_CURRENT_SOURCE_DIR}/bench/gemm_bench.cpp)
target_link_libraries(bench_gemm PRIVATE ckpt_kernels)
if(CKPT_OPENBLAS)
  target_compile_definitions(bench_gemm PRIVATE CKPT_HAVE_CBLAS)
  target_link_libraries(bench_gemm PRIVATE ${CKPT_OPENBLAS})
endif()
