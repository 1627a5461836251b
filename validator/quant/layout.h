#pragma once
// Packed layouts as data, and the one decoder that reads them all (formats, sections 2 to 6).

#include <cstdint>
#include <span>

#include "validator/base/dtype.h"
#include "validator/base/result.h"

namespace ckpt::quant {

/// Along which axis the codes of one word run.
enum class PackAxis : std::uint8_t { in, out };

/// What a code of `bits` bits stands for before it is scaled.
enum class Element : std::uint8_t {
  code,  ///< an unsigned integer; offset and zero point are subtracted
  i8,    ///< two's complement; a zero point may be subtracted
  e4m3,  ///< OCP E4M3 (no infinity)
  e5m2,
  e2m1,  ///< OCP E2M1: 0, 0.5, 1, 1.5, 2, 3, 4, 6 and their negatives
};

/// How the codes of a linear W[N, K] are stored; enough to decode it:
/// W[n, k] = scale * (element - zero), scale and zero those of n's row block and k's group. A new
/// format is a new description, not a new kernel.
struct Layout {
  Element element = Element::code;
  unsigned bits = 4;                  ///< 1 to 8, the codes are dense
  PackAxis pack_axis = PackAxis::in;  ///< GPTQ: in (down a column); AWQ: out
  /// Rows are outputs: words [N, ceil(K*b/32)], or bytes [N, K*b/8] when `rows_are_bytes`.
  bool words_row_is_out = false;
  bool rows_are_bytes = false;
  bool awq_order = false;            ///< nibbles in AWQ's order
  int code_offset = 0;               ///< subtracted from a code: 2^(b-1) for signed storage
  bool has_zeros = true;             ///< zero points are stored, else 0
  bool zeros_are_bytes = false;      ///< zeros I8 [N, G] (int-quantized), else packed like codes
  int zero_offset = 0;               ///< added to a stored zero: 1 in v1 files
  bool zeros_row_is_out = false;     ///< zeros [N*b/32, G] packed down N, else [G, N*b/32]
  bool scales_row_is_out = false;    ///< scales [R, G], else [G, R]; R = ceil(N / rows_per_scale)
  std::uint64_t rows_per_scale = 1;  ///< 128 for FP8 blocks, N for one scale per tensor
  Dtype scale_dtype = Dtype::f16;    ///< F16, BF16, F32, F8_E4M3 or F8_E8M0
  float scale_factor = 1;            ///< a second, global scale: multiplied ...
  bool factor_divides = false;       ///< ... or divided by, in f32, before the element
  std::uint64_t n = 0;               ///< out-features
  std::uint64_t k = 0;               ///< in-features
  std::uint64_t groups = 1;          ///< G = ceil(K / group_size)
  std::uint64_t group_size = 0;      ///< K when per channel

  friend bool operator==(const Layout&, const Layout&) = default;

  [[nodiscard]] std::uint64_t scale_rows() const {
    return (n + rows_per_scale - 1) / rows_per_scale;
  }
};

/// Views of the stored tensors of one packed linear, whole. `g_idx` may be empty (then k div g).
struct PackedLinear {
  Layout layout;
  std::span<const std::byte> words;
  std::span<const std::byte> zeros;
  std::span<const std::byte> scales;
  std::span<const std::byte> g_idx;
};

/// Decodes rows [row_begin, row_end) of W to `out` [rows, K] in f32: scale * (element - zero), one
/// rounding. Sizes must fit the layout (checked). Errors: format (g_idx out of range, sizes).
[[nodiscard]] Result<void> decode_rows(const PackedLinear& linear, std::uint64_t row_begin,
                                       std::uint64_t row_end, std::span<float> out);

}  // namespace ckpt::quant
