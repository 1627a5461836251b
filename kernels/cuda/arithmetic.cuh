#pragma once
// Small functions that several kernels use.

#include "kernels/cuda/device.cuh"
#include "kernels/packed.h"
#include "kernels/views.h"

namespace ckpt::kernels::cuda {

__device__ inline float sigmoid_of(float x) {
  return 1.0F / (1.0F + expf(-x));
}

__device__ inline float silu_of(float x) {
  return x / (1.0F + expf(-x));
}

__device__ inline bool is_finite(float x) {
  return (std::bit_cast<std::uint32_t>(x) & 0x7F800000U) != 0x7F800000U;
}

/// Row r of a view by heads: head r % heads of token r / heads.
__device__ inline float* head_row(const Heads& x, std::int64_t r) {
  return x.data + r / x.heads * x.token_stride + r % x.heads * x.head_stride;
}

}  // namespace ckpt::kernels::cuda
