#pragma once
// What a weight matrix looks like in memory, as data: one description for every stored format, so
// that a new format is a new description and not a new kernel.

#include <cstddef>
#include <cstdint>
#include <span>

namespace ckpt::kernels {

enum class Storage : std::uint8_t { f32, bf16, f16, packed };

/// Where a result becomes a 16-bit number (nearest even) and f32 again; `none` keeps f32.
enum class Rounding : std::uint8_t { none, bf16, f16 };

/// Along which axis the codes of one 32-bit word run.
enum class PackAxis : std::uint8_t { in, out };

/// What a code stands for before it is scaled: an unsigned integer, a signed byte, or an OCP small
/// float.
enum class Element : std::uint8_t { code, i8, e4m3, e5m2, e2m1 };

/// Type of a stored scale; e8m0 is a power of two.
enum class ScaleType : std::uint8_t { f32, bf16, f16, e4m3, e8m0 };

/// Codes with a scale and perhaps a zero per group:
/// W[n, k] = scale[g, r] * (element[n, k] - zero[g, n]), r = n div rows_per_scale and
/// g = k div group_size unless `group_of_k` says otherwise. The subtraction is exact, the product
/// rounds once, in f32, and then to 16 bits if `rounding` says so.
struct PackedLayout {
  Element element = Element::code;
  unsigned bits = 4;                  ///< 1 to 8; codes are dense, low bits first
  PackAxis pack_axis = PackAxis::in;  ///< GPTQ: in (down a column); AWQ: out
  bool words_row_is_out = false;      ///< rows [N, K*bits/32], else [K*bits/32, N] (pack in)
  bool rows_are_bytes = false;        ///< such rows end on a byte, else on a word
  bool awq_order = false;             ///< the nibbles of a word are columns 0 2 4 6 1 3 5 7
  int code_offset = 0;                ///< subtracted from a code: 2^(bits-1) for signed storage
  bool has_zeros = true;
  bool zeros_are_bytes = false;    ///< I8 [N, G], else packed like codes
  int zero_offset = 0;             ///< added to a stored zero
  bool zeros_row_is_out = false;   ///< zeros [N*bits/32, G], else [G, N*bits/32]
  bool scales_row_is_out = false;  ///< scales [R, G], else [G, R]; R = ceil(N / rows_per_scale)
  std::int64_t rows_per_scale = 1;
  ScaleType scale_type = ScaleType::f16;
  float scale_factor = 1;       ///< multiplied into every scale, in f32 ...
  bool factor_divides = false;  ///< ... or divided out of it
  std::int64_t groups = 1;
  std::int64_t group_size = 0;  ///< K when per channel
  /// The product as a kernel that feeds a 16-bit matrix unit stores it; `none` keeps f32.
  Rounding rounding = Rounding::none;
};

/// Non-owning view of W [N, K] in host memory; the bytes may be unaligned. Float storage is
/// row-major with `row_stride` elements between rows; packed storage follows `packed`.
struct MatrixView {
  Storage storage = Storage::f32;
  std::int64_t n = 0;               ///< out-features
  std::int64_t k = 0;               ///< in-features
  std::int64_t row_stride = 0;      ///< float storage: elements; 0 means k
  std::span<const std::byte> data;  ///< float rows, or the words of packed codes
  PackedLayout packed;
  std::span<const std::byte> zeros;
  std::span<const std::byte> scales;
  std::span<const std::byte> group_of_k;  ///< I32 [K] (g_idx), or empty
};

/// Bytes of one stored scale.
[[nodiscard]] constexpr std::int64_t scale_bytes(ScaleType type) {
  return type == ScaleType::f32 ? 4 : type == ScaleType::bf16 || type == ScaleType::f16 ? 2 : 1;
}

/// 32-bit words that hold `codes` codes.
[[nodiscard]] constexpr std::int64_t words_of(std::int64_t codes, unsigned bits) {
  return (codes * static_cast<std::int64_t>(bits) + 31) / 32;
}

/// Bytes between the rows of packed storage whose rows are outputs.
[[nodiscard]] constexpr std::int64_t packed_row_bytes(const MatrixView& v) {
  const PackedLayout& p = v.packed;
  return p.rows_are_bytes ? (v.k * static_cast<std::int64_t>(p.bits) + 7) / 8
                          : 4 * words_of(v.k, p.bits);
}

}  // namespace ckpt::kernels
