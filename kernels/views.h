#pragma once
// Plain descriptions of activations and of what is measured on them, for every backend's code.

#include <cstdint>

namespace ckpt::kernels {

/// A row-major matrix of activations [rows, cols] in backend memory.
struct Rows {
  float* data = nullptr;
  std::int64_t rows = 0;
  std::int64_t cols = 0;
  std::int64_t stride = 0;  ///< floats between rows

  [[nodiscard]] constexpr Rows slice(std::int64_t first, std::int64_t count) const {
    return {data + first * stride, count, cols, stride};
  }
};

/// Activations by head, [tokens, heads, dim]; the last axis is contiguous.
struct Heads {
  float* data = nullptr;
  std::int64_t tokens = 0;
  std::int64_t heads = 1;
  std::int64_t dim = 0;
  std::int64_t token_stride = 0;
  std::int64_t head_stride = 0;
};

/// The view of rows as one head of `cols`.
[[nodiscard]] constexpr Heads as_heads(const Rows& x) {
  return {x.data, x.rows, 1, x.cols, x.stride, x.cols};
}

/// What a tap sees in one activation.
struct Range {
  float max_abs = 0;            ///< over the finite values
  std::uint64_t above_f16 = 0;  ///< finite values beyond 65504, and infinities
  std::uint64_t nonfinite = 0;
  std::int64_t first_nonfinite = -1;  ///< row of the first one
};

/// Comparison of two rows of logits z (reference) and w (candidate), all in nats.
struct Divergence {
  double kl = 0;          ///< KL(p || q)
  double kl_reverse = 0;  ///< KL(q || p)
  double js = 0;
  double tv = 0;
  double lse_reference = 0;
  double lse_candidate = 0;
  double entropy = 0;     ///< of p
  double confidence = 0;  ///< max p
  float max_reference = 0;
  float max_candidate = 0;
  float label_reference = 0;  ///< z[label]
  float label_candidate = 0;
  std::int64_t argmax_reference = 0;
  std::int64_t argmax_candidate = 0;
  std::uint64_t nonfinite_reference = 0;
  std::uint64_t nonfinite_candidate = 0;
};

}  // namespace ckpt::kernels
