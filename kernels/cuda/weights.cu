// From stored weights and f32 activations to sums of BF16 numbers, which the matrix units take.

#include "kernels/cuda/arithmetic.cuh"
#include "kernels/cuda/kernels.h"

namespace ckpt::kernels::cuda {

namespace {

constexpr int kTileN = 32;
constexpr int kTileK = 64;

__device__ float value_at(const MatrixView& view, std::int64_t n, std::int64_t k) {
  if (view.storage == Storage::packed) return packed_value(view, n, k);
  const std::int64_t stride = view.row_stride == 0 ? view.k : view.row_stride;
  const std::byte* at = view.data.data();
  const std::int64_t i = n * stride + k;
  if (view.storage == Storage::f32) return load<float>(at + i * 4);
  const auto half = load<std::uint16_t>(at + i * 2);
  return view.storage == Storage::bf16 ? bf16_to_f32(half) : f16_to_f32(half);
}

// Writes value as out.count BF16 numbers at [n, k]. What is not finite stays in the first.
__device__ void store_terms(const Terms& out, std::int64_t n, std::int64_t k, float value) {
  for (int i = 0; i < out.count; ++i) {
    const std::uint16_t term = f32_to_bf16(value);
    out.data[(i * out.rows + n) * out.depth + k] = term;
    const float rest = value - bf16_to_f32(term);
    value = is_finite(rest) ? rest : 0.0F;
  }
}

// A tile goes through shared memory, so that stored words and terms are both met in their order.
__global__ void decode_tiles(MatrixView view, Terms out, int* nonfinite) {
  auto* tile = reinterpret_cast<float*>(shared_memory());  // [kTileN][kTileK + 1]
  const std::int64_t n0 = std::int64_t{blockIdx.y} * kTileN;
  const std::int64_t k0 = std::int64_t{blockIdx.x} * kTileK;
  const PackedLayout& p = view.packed;
  const bool across = view.storage == Storage::packed && !p.words_row_is_out;
  bool bad = false;
  for (int i = static_cast<int>(threadIdx.x); i < kTileN * kTileK; i += kThreads) {
    const int n = across ? i % kTileN : i / kTileK;
    const int k = across ? i / kTileN : i % kTileK;
    const bool inside = n0 + n < view.n && k0 + k < view.k;
    const float value = inside ? value_at(view, n0 + n, k0 + k) : 0.0F;
    bad = bad || !is_finite(value);
    tile[n * (kTileK + 1) + k] = value;
  }
  if (bad) *nonfinite = 1;  // any thread may write it: all write the same
  __syncthreads();
  for (int i = static_cast<int>(threadIdx.x); i < kTileN * kTileK; i += kThreads) {
    const int n = i / kTileK;
    const int k = i % kTileK;
    if (n0 + n >= out.rows || k0 + k >= out.depth) continue;
    store_terms(out, n0 + n, k0 + k, tile[n * (kTileK + 1) + k]);
  }
}

__global__ void split_rows(Rows x, Terms out, int* nonfinite) {
  const std::int64_t t = blockIdx.x;
  bool bad = false;
  for (std::int64_t k = threadIdx.x; k < out.depth; k += kThreads) {
    const float value = k < x.cols ? x.data[t * x.stride + k] : 0.0F;
    bad = bad || !is_finite(value);
    store_terms(out, t, k, value);
  }
  const int any = __syncthreads_or(bad ? 1 : 0);
  if (threadIdx.x == 0) nonfinite[t] = any;
}

__global__ void scan_words(const std::uint16_t* data, std::int64_t count, int* nonfinite) {
  const std::int64_t step = std::int64_t{gridDim.x} * kThreads;
  bool bad = false;
  for (std::int64_t i = std::int64_t{blockIdx.x} * kThreads + threadIdx.x; i < count; i += step) {
    bad = bad || (data[i] & 0x7F80U) == 0x7F80U;
  }
  if (bad) *nonfinite = 1;
}

// Significant bits that an element can have before it is scaled.
int element_bits(const PackedLayout& p) {
  switch (p.element) {
    case Element::code:
      return static_cast<int>(p.bits) + 1;
    case Element::i8:
      return p.has_zeros ? 9 : 8;
    case Element::e4m3:
      return 4;
    case Element::e5m2:
      return 3;
    case Element::e2m1:
      break;
  }
  return 2;
}

int scale_bits(const PackedLayout& p) {
  if (p.scale_factor != 1) return 24;
  switch (p.scale_type) {
    case ScaleType::f32:
      return 24;
    case ScaleType::f16:
      return 11;
    case ScaleType::bf16:
      return 8;
    case ScaleType::e4m3:
      return 4;
    case ScaleType::e8m0:
      break;
  }
  return 1;
}

}  // namespace

int terms_of(const MatrixView& view) {
  if (view.storage == Storage::bf16) return 1;
  if (view.storage == Storage::f16) return 2;
  if (view.storage == Storage::f32) return kMostTerms;
  const PackedLayout& p = view.packed;
  if (p.rounding == Rounding::bf16) return 1;
  const int bits = element_bits(p) + scale_bits(p);
  if (bits <= 8) return 1;
  return bits <= 16 || p.rounding == Rounding::f16 ? 2 : kMostTerms;
}

cudaError_t decode(cudaStream_t s, const MatrixView& view, const Terms& out, int* nonfinite) {
  const dim3 grid{blocks_for(out.depth, kTileK), blocks_for(out.rows, kTileN)};
  return launch(decode_tiles, grid, kThreads, kTileN * (kTileK + 1) * sizeof(float), s, view, out,
                nonfinite);
}

cudaError_t split(cudaStream_t s, const Rows& x, const Terms& out, int* nonfinite) {
  return launch(split_rows, dim3{static_cast<unsigned>(x.rows)}, kThreads, 0, s, x, out, nonfinite);
}

cudaError_t scan(cudaStream_t s, const std::uint16_t* data, std::int64_t count, int* nonfinite) {
  constexpr unsigned kMostBlocks = 1024;
  const unsigned blocks = blocks_for(count, kThreads * 16);
  return launch(scan_words, dim3{blocks < kMostBlocks ? blocks : kMostBlocks}, kThreads, 0, s, data,
                count, nonfinite);
}

}  // namespace ckpt::kernels::cuda
