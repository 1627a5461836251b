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

/// Integer codes with a scale and perhaps a zero per group:
/// W[n, k] = scale[g, n] * (code[n, k] - code_offset - zero[g, n]), g = k div group_size unless
/// `group_of_k` says otherwise. The subtraction is exact, the product rounds once, in f32, and
/// then to 16 bits if `rounding` says so.
struct PackedLayout {
  unsigned bits = 4;                  ///< 1 to 8; codes are dense, low bits first
  PackAxis pack_axis = PackAxis::in;  ///< GPTQ: in (down a column); AWQ: out
  bool words_row_is_out = false;      ///< words [N, K*bits/32], else [K*bits/32, N] (pack in)
  bool awq_order = false;             ///< the nibbles of a word are columns 0 2 4 6 1 3 5 7
  int code_offset = 0;                ///< subtracted from a code: 2^(bits-1) for signed storage
  bool has_zeros = true;
  int zero_offset = 0;             ///< added to a stored zero
  bool zeros_row_is_out = false;   ///< zeros [N*bits/32, G], else [G, N*bits/32]
  bool scales_row_is_out = false;  ///< scales [N, G], else [G, N]
  Storage scale_storage = Storage::f16;
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

}  // namespace ckpt::kernels
