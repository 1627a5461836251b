#pragma once
// Launches of the device kernels: each puts work on a stream and returns at once. Pointers are to
// device memory; extents have been checked. The result is that of the launch alone.

#include <cuda_runtime.h>

#include <cstdint>

#include "kernels/matrix.h"
#include "kernels/views.h"

namespace ckpt::kernels::cuda {

/// A matrix as sums of BF16 numbers, the largest first: terms [count][rows][depth]. `depth` is a
/// multiple of kDepth, filled up with zeros.
struct Terms {
  std::uint16_t* data = nullptr;
  std::int64_t rows = 0;
  std::int64_t depth = 0;
  int count = 1;
};

inline constexpr std::int64_t kDepth = 32;
inline constexpr int kMostTerms = 3;

// --- elementwise.cu ---
cudaError_t fill(cudaStream_t s, const Rows& x, float value);
cudaError_t gather(cudaStream_t s, const Rows& from, const std::int64_t* index, const Rows& to);
cudaError_t scatter_add(cudaStream_t s, const Rows& from, const float* weight,
                        const std::int64_t* index, const Rows& to, Rounding rounding);
cudaError_t add(cudaStream_t s, const Rows& x, const Rows& y, Rounding rounding);
cudaError_t subtract(cudaStream_t s, const Rows& x, const Rows& y);
cudaError_t silu(cudaStream_t s, const Rows& x, Rounding rounding);
cudaError_t silu_mul(cudaStream_t s, const Rows& gate, const Rows& up, Rounding rounding);
cudaError_t sigmoid_gate(cudaStream_t s, const Heads& x, const Heads& gate, Rounding rounding);
cudaError_t moe_combine(cudaStream_t s, const Rows& routed, const Rows& shared,
                        const Rows& shared_gate, Rounding rounding);
/// `position[t]` is the row's place in its sequence.
cudaError_t rope(cudaStream_t s, const Heads& x, const Rows& cos, const Rows& sin,
                 const std::int32_t* position, Rounding rounding);
cudaError_t conv(cudaStream_t s, const Rows& x, const Rows& y, const float* weight, int width,
                 const std::int32_t* position, Rounding rounding);

cudaError_t gelu(cudaStream_t s, const Rows& x, bool exact, Rounding rounding);
cudaError_t add_bias(cudaStream_t s, const Rows& x, const float* bias, Rounding rounding);

// --- reduce.cu ---
cudaError_t layer_norm(cudaStream_t s, const Rows& x, const Rows& y, const float* weight,
                       const float* bias, float eps, Rounding rounding);
cudaError_t rms_norm(cudaStream_t s, const Heads& x, const Heads& y, const float* weight, float eps,
                     float offset, Rounding rounding);
cudaError_t gated_norm(cudaStream_t s, const Heads& x, const Heads& z, const float* weight,
                       float eps, Rounding rounding);
/// y.data may be null.
cudaError_t row_squares(cudaStream_t s, const Rows& x, const Rows& y, double* out);
/// Adds to *range, whose first_nonfinite starts at the row count.
cudaError_t probe(cudaStream_t s, const Rows& x, Range* range);
/// ids and weights [T, K], margins [T].
cudaError_t route(cudaStream_t s, const Rows& logits, int top_k, std::int32_t* ids, float* weights,
                  float* margins, Rounding rounding);

// --- divergence.cu ---
cudaError_t divergence(cudaStream_t s, const Rows& reference, const Rows& candidate,
                       const std::int64_t* labels, Divergence* out);

// --- weights.cu ---
/// BF16 terms that a matrix needs so that nothing of it is lost in f32.
int terms_of(const MatrixView& view);
/// Decodes `view`, whose spans are device memory, and sets *nonfinite if any value is.
cudaError_t decode(cudaStream_t s, const MatrixView& view, const Terms& out, int* nonfinite);
/// Splits activations; nonfinite[t] tells of row t.
cudaError_t split(cudaStream_t s, const Rows& x, const Terms& out, int* nonfinite);
/// Sets *nonfinite if any of `count` BF16 numbers is.
cudaError_t scan(cudaStream_t s, const std::uint16_t* data, std::int64_t count, int* nonfinite);

// --- gemm.cu ---
/// y = rd(x w^T). Rows whose x, and everything if w, is not finite are computed value by value from
/// the terms' sums, since a term of 0 times infinity would be NaN.
struct Product {
  Terms w;
  const int* w_nonfinite = nullptr;
  std::int64_t first = 0;  ///< row of x that is y's row 0
  Rows y;
};

cudaError_t multiply(cudaStream_t s, const Terms& x, const int* x_nonfinite, const Product& product,
                     Rounding rounding);

/// Rows of one product's y that a block computes.
struct RowTile {
  std::int64_t product;
  std::int64_t row;
};

/// Rows in a tile when no product has more than `most`.
std::int64_t tile_rows(std::int64_t most);

/// Several products of the same x whose weights have `w_terms` terms each, in one launch.
/// `products` and `tiles` are device memory; the tiles are tile_rows(most) rows apart.
struct Products {
  const Product* all;
  const RowTile* tiles;
  std::int64_t tile_count;
  std::int64_t most;     ///< rows of the longest
  std::int64_t columns;  ///< of the widest
  int w_terms;
};

cudaError_t multiply_grouped(cudaStream_t s, const Terms& x, const int* x_nonfinite,
                             const Products& products, Rounding rounding);

// --- attention.cu ---
/// A block's share: queries [begin, begin + kQueries) of the sequence [first, last).
struct QueryTile {
  std::int64_t first;
  std::int64_t last;
  std::int64_t begin;
};

inline constexpr std::int64_t kQueries = 32;
inline constexpr std::int64_t kLargestHead = 256;
/// Causal, or every query of a sequence sees all of its keys.
cudaError_t attention(cudaStream_t s, const Heads& q, const Heads& k, const Heads& v,
                      const Heads& o, float scale, const QueryTile* tiles, std::int64_t tile_count,
                      bool causal, Rounding rounding);

// --- delta_rule.cu ---
struct DeltaRule {
  Heads q, k, v;
  Rows b, a;
  const float* a_log;
  const float* dt_bias;
  Heads o;
  const std::int64_t* starts;
  std::int64_t sequences;
  Rounding rounding;
};

/// cudaErrorMemoryAllocation when a head does not fit into `shared_limit` bytes.
cudaError_t delta_rule(cudaStream_t s, const DeltaRule& args, std::int64_t shared_limit);

}  // namespace ckpt::kernels::cuda
