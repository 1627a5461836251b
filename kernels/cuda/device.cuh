#pragma once
// What the kernels are written with: launches, reductions in a fixed order, and the instructions
// that C++ has no word for. With CKPT_CUDA_EMULATED the same source runs on a processor, against
// the runtime in tests/kernels/emulator, which then also supplies the instructions.

#include <cuda_runtime.h>

#include <cstddef>
#include <cstdint>
#include <tuple>
#include <utility>

#include "validator/base/bits.h"

namespace ckpt::kernels::cuda {

inline constexpr int kThreads = 256;  ///< of a block, unless a kernel says otherwise
inline constexpr int kWarp = 32;
inline constexpr unsigned kAllLanes = 0xFFFFFFFFU;

/// Blocks for `items` in pieces of `per_block`.
constexpr unsigned blocks_for(std::int64_t items, std::int64_t per_block) {
  return static_cast<unsigned>((items + per_block - 1) / per_block);
}

/// Before a loop over an array that is to live in registers.
#ifdef CKPT_CUDA_EMULATED
#define CKPT_UNROLL
#else
#define CKPT_UNROLL _Pragma("unroll")
#endif

#ifdef CKPT_CUDA_EMULATED

template <class... P, class... A>
cudaError_t launch(void (*kernel)(P...), dim3 grid, int block, std::size_t shared,
                   cudaStream_t stream, A&&... args) {
  if (grid.x == 0 || grid.y == 0) return cudaSuccess;
  return emulator::launch(
      stream, grid, dim3{static_cast<unsigned>(block)}, shared,
      [kernel, pack = std::tuple<P...>(std::forward<A>(args)...)] { std::apply(kernel, pack); });
}

inline unsigned char* shared_memory() {
  return static_cast<unsigned char*>(emulator::shared_memory());
}

/// Four 8 x 8 tiles of 16-bit numbers; lane i names row i % 8 of tile i / 8, 16 bytes.
inline void load_tiles(std::uint32_t (&r)[4], const void* row) {
  const unsigned me = emulator::lane();
  std::memcpy(emulator::lane_slot(me), &row, sizeof(row));
  emulator::warp_barrier();
  for (unsigned tile = 0; tile < 4; ++tile) {
    const char* from = nullptr;
    std::memcpy(&from, emulator::lane_slot(tile * 8 + me / 4), sizeof(from));
    std::memcpy(&r[tile], from + me % 4 * 4, 4);
  }
  emulator::warp_barrier();
}

/// c + the sum of a[k] b[k], towards 0.
inline float sum_truncated(float c, const float* a, const float* b, unsigned count) {
  double sum = c;
  for (unsigned k = 0; k < count; ++k) sum += double{a[k]} * double{b[k]};
  const auto nearest = static_cast<float>(sum);
  const bool away = std::isfinite(nearest) && std::fabs(double{nearest}) > std::fabs(sum);
  return away ? std::nextafter(nearest, 0.0F) : nearest;
}

/// c [16, 8] += a [16, 16] * b [16, 8], BF16 into F32, sums truncated as the hardware does.
inline void multiply_tiles(float (&c)[4], const std::uint32_t (&a)[4], const std::uint32_t* b) {
  const unsigned me = emulator::lane();
  float left[2][16];   // rows me/4 and me/4 + 8 of a
  float right[2][16];  // columns 2(me%4) and the next of b
  const auto gather = [&](std::uint32_t word, auto&& take) {
    std::memcpy(emulator::lane_slot(me), &word, 4);
    emulator::warp_barrier();
    take();
    emulator::warp_barrier();
  };
  const auto value = [](unsigned lane, unsigned half) {
    std::uint16_t bits = 0;
    std::memcpy(&bits, static_cast<char*>(emulator::lane_slot(lane)) + half * 2, 2);
    return bf16_to_f32(bits);
  };
  for (unsigned i = 0; i < 4; ++i) {
    gather(a[i], [&] {
      for (unsigned k = 0; k < 8; ++k) {
        left[i % 2][i / 2 * 8 + k] = value(me / 4 * 4 + k / 2, k % 2);
      }
    });
  }
  for (unsigned i = 0; i < 2; ++i) {
    gather(b[i], [&] {
      for (unsigned k = 0; k < 8; ++k) {
        for (unsigned n = 0; n < 2; ++n) {
          right[n][i * 8 + k] = value((me % 4 * 2 + n) * 4 + k / 2, k % 2);
        }
      }
    });
  }
  for (unsigned i = 0; i < 4; ++i) c[i] = sum_truncated(c[i], left[i / 2], right[i % 2], 16);
}

/// x rounded to TF32 (10 bits after the point), ties away from 0, as bits of an f32.
inline std::uint32_t tf32_of(float x) {
  const auto bits = std::bit_cast<std::uint32_t>(x);
  return std::isfinite(x) ? (bits + 0x1000U) & 0xFFFFE000U : bits;
}

/// c [16, 8] += a [16, 8] * b [8, 8], TF32 into F32, sums truncated as the hardware does.
inline void multiply_tf32(float (&c)[4], const std::uint32_t (&a)[4], const std::uint32_t (&b)[2]) {
  const unsigned me = emulator::lane();
  float left[2][8];   // rows me/4 and me/4 + 8 of a
  float right[2][8];  // columns 2(me%4) and the next of b
  const auto value = [](unsigned lane, unsigned word) {
    float x = 0;
    std::memcpy(&x, static_cast<char*>(emulator::lane_slot(lane)) + word * 4, 4);
    return x;
  };
  std::memcpy(emulator::lane_slot(me), a, sizeof(a));
  emulator::warp_barrier();
  for (unsigned i = 0; i < 4; ++i) {
    for (unsigned k = 0; k < 4; ++k) left[i % 2][i / 2 * 4 + k] = value(me / 4 * 4 + k, i);
  }
  emulator::warp_barrier();
  std::memcpy(emulator::lane_slot(me), b, sizeof(b));
  emulator::warp_barrier();
  for (unsigned k = 0; k < 8; ++k) {
    for (unsigned n = 0; n < 2; ++n) right[n][k] = value((me % 4 * 2 + n) * 4 + k % 4, k / 4);
  }
  emulator::warp_barrier();
  for (unsigned i = 0; i < 4; ++i) c[i] = sum_truncated(c[i], left[i / 2], right[i % 2], 8);
}

/// Copies 16 bytes to shared memory in the background, or clears them when `inside` is false.
inline void copy_async(void* to, const void* from, bool inside) {
  emulator::copy_later(to, from, inside ? 16 : 0);
}

inline void copy_async_commit() {
  emulator::close_copies();
}

template <int Open>
void copy_async_wait() {
  emulator::wait_copies(Open);
}

#else

template <class... P, class... A>
cudaError_t launch(void (*kernel)(P...), dim3 grid, int block, std::size_t shared,
                   cudaStream_t stream, A&&... args) {
  if (grid.x == 0 || grid.y == 0) return cudaSuccess;
  if (shared > 48 * 1024) {
    const cudaError_t set = cudaFuncSetAttribute(
        kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, static_cast<int>(shared));
    if (set != cudaSuccess) return set;
  }
  kernel<<<grid, static_cast<unsigned>(block), shared, stream>>>(std::forward<A>(args)...);
  return cudaGetLastError();
}

__device__ inline unsigned char* shared_memory() {
  extern __shared__ __align__(16) unsigned char bytes[];
  return bytes;
}

__device__ inline void load_tiles(std::uint32_t (&r)[4], const void* row) {
  const auto at = static_cast<unsigned>(__cvta_generic_to_shared(row));
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
               : "r"(at)
               : "memory");
}

__device__ inline void multiply_tiles(float (&c)[4], const std::uint32_t (&a)[4],
                                      const std::uint32_t* b) {
  asm volatile(
      "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, "
      "{%8, %9}, {%0, %1, %2, %3};"
      : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}

__device__ inline std::uint32_t tf32_of(float x) {
  std::uint32_t bits;
  asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(bits) : "f"(x));
  return bits & 0xFFFFE000U;
}

__device__ inline void multiply_tf32(float (&c)[4], const std::uint32_t (&a)[4],
                                     const std::uint32_t (&b)[2]) {
  asm volatile(
      "mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, "
      "{%8, %9}, {%0, %1, %2, %3};"
      : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}

__device__ inline void copy_async(void* to, const void* from, bool inside) {
  const auto at = static_cast<unsigned>(__cvta_generic_to_shared(to));
  const int bytes = inside ? 16 : 0;
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;"
               :
               : "r"(at), "l"(from), "r"(bytes)
               : "memory");
}

__device__ inline void copy_async_commit() {
  asm volatile("cp.async.commit_group;" : : : "memory");
}

template <int Open>
__device__ void copy_async_wait() {
  asm volatile("cp.async.wait_group %0;" : : "n"(Open) : "memory");
}

#endif

/// Sum over a block of kThreads, the same in every thread and for every launch. `scratch` holds one
/// T a warp and may be used again after the next barrier.
template <class T>
__device__ T block_sum(T value, T* scratch) {
  for (int mask = kWarp / 2; mask > 0; mask /= 2) value += __shfl_xor_sync(kAllLanes, value, mask);
  if (threadIdx.x % kWarp == 0) scratch[threadIdx.x / kWarp] = value;
  __syncthreads();
  T sum = scratch[0];
  for (unsigned w = 1; w < blockDim.x / kWarp; ++w) sum += scratch[w];
  __syncthreads();
  return sum;
}

/// A number and where it stands; of equals the lower place wins.
struct Peak {
  float value;
  std::int64_t at;
};

__device__ inline bool above(const Peak& a, const Peak& b) {
  return a.value > b.value || (a.value == b.value && a.at < b.at);
}

/// The highest of a block of kThreads, the same in every thread.
__device__ inline Peak block_peak(Peak peak, Peak* scratch) {
  for (int mask = kWarp / 2; mask > 0; mask /= 2) {
    const Peak other{__shfl_xor_sync(kAllLanes, peak.value, mask),
                     __shfl_xor_sync(kAllLanes, peak.at, mask)};
    if (above(other, peak)) peak = other;
  }
  if (threadIdx.x % kWarp == 0) scratch[threadIdx.x / kWarp] = peak;
  __syncthreads();
  peak = scratch[0];
  for (unsigned w = 1; w < blockDim.x / kWarp; ++w) {
    if (above(scratch[w], peak)) peak = scratch[w];
  }
  __syncthreads();
  return peak;
}

}  // namespace ckpt::kernels::cuda
