#pragma once
// Serial inner loops of the CPU backend, compiled once per instruction set and picked at run time.
// Vectors are 16 lanes wide at every level, so sums have one order; only `multiply` may differ
// between levels (fused multiply-add at avx2 and avx512, two roundings at portable).

#include <cstddef>
#include <cstdint>

#include "kernels/ops.h"

namespace ckpt::kernels::cpu {

inline constexpr std::int64_t kPanel = 32;     ///< columns of a decoded weight panel
inline constexpr std::int64_t kDepth = 256;    ///< k of one summation block
inline constexpr std::int64_t kRowBlock = 12;  ///< rows of a packed block of x, at most

/// c [m, n] (+)= a [m, k] * b [k, n]; a is strided both ways, b and c have contiguous rows.
struct Multiply {
  std::int64_t m = 0;
  std::int64_t n = 0;
  std::int64_t k = 0;
  const float* a = nullptr;
  std::int64_t a_row = 0;
  std::int64_t a_col = 1;
  const float* b = nullptr;
  std::int64_t b_row = 0;
  float* c = nullptr;
  std::int64_t c_row = 0;
  bool accumulate = false;
};

/// Transposes rows [n, k] of a float matrix to a panel [k, 32], zero beyond `n`.
struct TransposeArgs {
  const std::byte* from = nullptr;
  std::int64_t row_bytes = 0;
  std::int64_t n = 0;  ///< at most kPanel
  std::int64_t k = 0;
  float* to = nullptr;
};

/// Decodes codes of 2, 4 or 8 bits packed along k, words [K*b/32, columns], to a panel [k, 32]; or,
/// by decode_awq, AWQ's words [K, N/8].
struct DecodeArgs {
  const std::byte* words = nullptr;  ///< word row of k_begin, first column of the panel
  std::int64_t row_bytes = 0;        ///< between word rows
  Element element = Element::code;
  unsigned bits = 4;
  std::int64_t k_begin = 0;  ///< multiple of 32 / bits
  std::int64_t k_end = 0;
  const float* scales = nullptr;        ///< [G, 32]
  const std::int32_t* zeros = nullptr;  ///< [G, 32], every offset included
  std::int64_t group_size = 0;
  const std::byte* group_of_k = nullptr;  ///< I32 [K], or null for k div group_size
  Rounding rounding = Rounding::none;
  float* to = nullptr;  ///< row k_begin of the panel

  [[nodiscard]] std::int64_t group(std::int64_t k) const {
    if (group_of_k == nullptr) return k / group_size;
    std::int32_t g = 0;
    __builtin_memcpy(&g, group_of_k + k * 4, sizeof(g));
    return g;
  }

  /// Whether all codes of a word are of one group.
  [[nodiscard]] bool whole_words() const {
    return group_of_k == nullptr && group_size % (32 / static_cast<std::int64_t>(bits)) == 0;
  }
};

/// One row of the delta rule's, norm's and softmax's elementwise work; `n` floats each.
struct Level {
  const char* name;
  void (*multiply)(const Multiply&);
  void (*transpose_f32)(const TransposeArgs&);
  void (*transpose_bf16)(const TransposeArgs&);
  void (*transpose_f16)(const TransposeArgs&);
  void (*decode)(const DecodeArgs&);
  void (*decode_awq)(const DecodeArgs&);
  void (*round)(float* x, std::int64_t n, Rounding rounding);
  /// y = rd(x * factor * (w + offset)), factor = rsqrt(mean + eps).
  void (*rms_norm)(const float* x, float* y, const float* w, std::int64_t n, float eps,
                   float offset, Rounding rounding);
  void (*gated_norm)(float* x, const float* z, const float* w, std::int64_t n, float eps,
                     Rounding rounding);
  void (*silu)(float* x, std::int64_t n, Rounding rounding);
  void (*silu_mul)(float* gate, const float* up, std::int64_t n, Rounding rounding);
  void (*sigmoid_gate)(float* x, const float* gate, std::int64_t n, Rounding rounding);
  /// x = x * s.
  void (*scale)(float* x, float s, std::int64_t n);
  /// y += s * x.
  void (*axpy)(float* y, const float* x, float s, std::int64_t n);
  /// y += a * x, element by element.
  void (*multiply_add)(float* y, const float* a, const float* x, std::int64_t n);
  /// y += rd(s * x).
  void (*axpy_rounded)(float* y, const float* x, float s, std::int64_t n, Rounding rounding);
  void (*add)(float* x, const float* y, std::int64_t n, Rounding rounding);
  void (*subtract)(float* x, const float* y, std::int64_t n);
  float (*max)(const float* x, std::int64_t n);
  /// x = exp(x - shift); the sum of the results, in 16 lanes.
  float (*exp_sum)(float* x, float shift, std::int64_t n);
  float (*sum_squares)(const float* x, std::int64_t n);
  double (*squared_distance)(const float* x, const float* y, std::int64_t n);  ///< y may be null
  void (*probe)(const float* x, std::int64_t n, Range& range);  ///< first_nonfinite untouched
  void (*divergence)(const float* z, const float* w, std::int64_t n, std::int64_t label,
                     Divergence& out);
};

[[nodiscard]] const Level& portable_level();
[[nodiscard]] const Level* avx2_level();  ///< null when not built or not supported here
[[nodiscard]] const Level* avx512_level();

}  // namespace ckpt::kernels::cpu
