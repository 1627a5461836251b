#pragma once
// The functions of one number that several kernels use.

#include "kernels/cuda/device.cuh"
#include "kernels/packed.h"

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

}  // namespace ckpt::kernels::cuda
