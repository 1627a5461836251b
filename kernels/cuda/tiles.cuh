#pragma once
// Products of f32 matrices in shared memory on the matrix units, each number as a sum of two TF32
// ones. What is lost is 2^-22 of a product and the bits that the units cut off from sums of 16.

#include "kernels/cuda/device.cuh"

namespace ckpt::kernels::cuda {

inline constexpr int kWarps = kThreads / kWarp;
/// Floats after a row. The lanes of a warp read 8 rows of 4 floats of a left factor and of a right
/// one that is stored turned, 4 rows of 8 floats of any other: no two then meet in a bank.
inline constexpr int kLeftPad = 4;
inline constexpr int kRightPad = 8;

/// A matrix in shared memory: element [i, j] is data[i * row + j * col].
struct Tile {
  float* data;
  int row;
  int col = 1;

  __device__ float& operator()(int i, int j) const { return data[i * row + j * col]; }

  [[nodiscard]] __device__ Tile turned() const { return {data, col, row}; }
};

/// a [m, k] b [k, n]; m and k are multiples of 16, n of 8.
struct Factors {
  Tile a, b;
  int k;
};

/// x as hi + lo, both TF32, but for 2^-22 of it.
struct Halves {
  std::uint32_t hi, lo;
};

__device__ inline Halves halves_of(float x) {
  const std::uint32_t hi = tf32_of(x);
  return {hi, tf32_of(x - std::bit_cast<float>(hi))};
}

/// Where a lane's c-th number of a 16 x 8 result stands.
__device__ inline int result_row(int c) {
  return static_cast<int>(threadIdx.x) % kWarp / 4 + c / 2 * 8;
}

__device__ inline int result_column(int c) {
  return static_cast<int>(threadIdx.x) % 4 * 2 + c % 2;
}

/// sum [Wide] += the product's tiles of 16 x 8 from `row` and `column` on. Each 16 inputs are
/// summed by the matrix units, the small products first, and then added in f32. All lanes of a warp
/// call.
template <std::size_t Wide>
__device__ void multiply_strip(const Factors& f, int row, int column, float (&sum)[Wide][4]) {
  const int lane = static_cast<int>(threadIdx.x) % kWarp;
  const int group = lane / 4;
  const int place = lane % 4;
  for (int k = 0; k < f.k; k += 16) {
    std::uint32_t a_hi[2][4], a_lo[2][4];
    CKPT_UNROLL
    for (int i = 0; i < 8; ++i) {
      const Halves h =
          halves_of(f.a(row + group + i % 2 * 8, k + i / 4 * 8 + place + i / 2 % 2 * 4));
      a_hi[i / 4][i % 4] = h.hi;
      a_lo[i / 4][i % 4] = h.lo;
    }
    CKPT_UNROLL
    for (int j = 0; j < static_cast<int>(Wide); ++j) {
      std::uint32_t b_hi[2][2], b_lo[2][2];
      CKPT_UNROLL
      for (int i = 0; i < 4; ++i) {
        const Halves h = halves_of(f.b(k + place + i * 4, column + j * 8 + group));
        b_hi[i / 2][i % 2] = h.hi;
        b_lo[i / 2][i % 2] = h.lo;
      }
      float part[4] = {};
      CKPT_UNROLL
      for (int i = 0; i < 2; ++i) {
        multiply_tf32(part, a_lo[i], b_hi[i]);
        multiply_tf32(part, a_hi[i], b_lo[i]);
      }
      CKPT_UNROLL
      for (int i = 0; i < 2; ++i) multiply_tf32(part, a_hi[i], b_hi[i]);
      CKPT_UNROLL
      for (int c = 0; c < 4; ++c) sum[j][c] += part[c];
    }
  }
}

/// store(i, j, sum over all factors of [i, j]) for [m, n], n a multiple of 8 Wide; a warp of the
/// kThreads makes strips of 16 x 8 Wide.
template <std::size_t Wide, std::size_t Count, class Store>
__device__ void product(int m, int n, const Factors (&all)[Count], Store store) {
  constexpr int kColumns = 8 * static_cast<int>(Wide);
  const int across = n / kColumns;
  for (int i = static_cast<int>(threadIdx.x) / kWarp; i < m / 16 * across; i += kWarps) {
    const int row = i / across * 16;
    const int column = i % across * kColumns;
    float sum[Wide][4] = {};
    CKPT_UNROLL
    for (std::size_t f = 0; f < Count; ++f) multiply_strip(all[f], row, column, sum);
    CKPT_UNROLL
    for (int j = 0; j < static_cast<int>(Wide); ++j) {
      CKPT_UNROLL
      for (int c = 0; c < 4; ++c) {
        store(row + result_row(c), column + j * 8 + result_column(c), sum[j][c]);
      }
    }
  }
}

}  // namespace ckpt::kernels::cuda
