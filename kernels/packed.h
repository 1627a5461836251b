#pragma once
// One element of a packed matrix, whatever its layout: the arithmetic that every backend agrees on.
// The spans of the view point to memory of the side that runs this.

#include "kernels/matrix.h"
#include "validator/base/bits.h"

namespace ckpt::kernels {

/// Code `index` of a run of dense `bits`-wide codes, low bits first; it may straddle two words.
[[nodiscard]] CKPT_SHARED_ARITHMETIC inline std::uint32_t code_in_run(const std::byte* run,
                                                                      std::int64_t word_bytes,
                                                                      std::int64_t index,
                                                                      unsigned bits) {
  const std::int64_t bit = index * static_cast<std::int64_t>(bits);
  const std::int64_t word = bit / 32;
  const auto shift = static_cast<unsigned>(bit % 32);
  std::uint64_t value = load<std::uint32_t>(run + word * word_bytes);
  if (shift + bits > 32) {
    value |= std::uint64_t{load<std::uint32_t>(run + (word + 1) * word_bytes)} << 32;
  }
  return static_cast<std::uint32_t>((value >> shift) & ((1ULL << bits) - 1));
}

/// The same in a row of bytes, which need not end on a word.
[[nodiscard]] CKPT_SHARED_ARITHMETIC inline std::uint32_t code_in_row(const std::byte* row,
                                                                      std::int64_t index,
                                                                      unsigned bits) {
  const std::int64_t bit = index * static_cast<std::int64_t>(bits);
  const auto shift = static_cast<unsigned>(bit % 8);
  std::uint32_t value = load<std::uint8_t>(row + bit / 8);
  if (shift + bits > 8) value |= std::uint32_t{load<std::uint8_t>(row + bit / 8 + 1)} << 8;
  return (value >> shift) & ((1U << bits) - 1);
}

/// Place of column n among the nibbles of AWQ's order 0 2 4 6 1 3 5 7.
[[nodiscard]] CKPT_SHARED_ARITHMETIC inline std::int64_t awq_place(std::int64_t n) {
  return n - n % 8 + n % 8 / 2 + (n % 2) * 4;
}

[[nodiscard]] CKPT_SHARED_ARITHMETIC inline std::uint32_t code_at(const MatrixView& view,
                                                                  std::int64_t n, std::int64_t k) {
  const PackedLayout& p = view.packed;
  const std::byte* words = view.data.data();
  if (p.pack_axis == PackAxis::out) {  // words [K, N*b/32]
    const std::int64_t place = p.awq_order ? awq_place(n) : n;
    return code_in_run(words + k * words_of(view.n, p.bits) * 4, 4, place, p.bits);
  }
  if (p.words_row_is_out) return code_in_row(words + n * packed_row_bytes(view), k, p.bits);
  return code_in_run(words + n * 4, view.n * 4, k, p.bits);  // words [K*b/32, N]
}

[[nodiscard]] CKPT_SHARED_ARITHMETIC inline std::int32_t zero_at(const MatrixView& view,
                                                                 std::int64_t n, std::int64_t g) {
  const PackedLayout& p = view.packed;
  if (!p.has_zeros) return p.code_offset;
  const std::byte* words = view.zeros.data();
  if (p.zeros_are_bytes) return load<std::int8_t>(words + n * p.groups + g);
  std::uint32_t stored = 0;
  if (p.zeros_row_is_out) {  // [N*b/32, G]
    stored = code_in_run(words + g * 4, p.groups * 4, n, p.bits);
  } else {
    const std::int64_t place = p.awq_order ? awq_place(n) : n;
    stored = code_in_run(words + g * words_of(view.n, p.bits) * 4, 4, place, p.bits);
  }
  return static_cast<std::int32_t>(stored) + p.zero_offset + p.code_offset;
}

[[nodiscard]] CKPT_SHARED_ARITHMETIC inline float scale_at(const MatrixView& view, std::int64_t n,
                                                           std::int64_t g) {
  const PackedLayout& p = view.packed;
  const std::int64_t row = n / p.rows_per_scale;
  const std::int64_t rows = (view.n + p.rows_per_scale - 1) / p.rows_per_scale;
  const std::int64_t index = p.scales_row_is_out ? row * p.groups + g : g * rows + row;
  const std::byte* at = view.scales.data() + index * scale_bytes(p.scale_type);
  float scale = 0;
  switch (p.scale_type) {
    case ScaleType::f32:
      scale = load<float>(at);
      break;
    case ScaleType::bf16:
      scale = bf16_to_f32(load<std::uint16_t>(at));
      break;
    case ScaleType::f16:
      scale = f16_to_f32(load<std::uint16_t>(at));
      break;
    case ScaleType::e4m3:
      scale = e4m3_to_f32(load<std::uint8_t>(at));
      break;
    case ScaleType::e8m0:
      scale = e8m0_to_f32(load<std::uint8_t>(at));
      break;
  }
  return p.factor_divides ? scale / p.scale_factor : scale * p.scale_factor;
}

/// An element as the number it stands for; the small floats have no zero.
[[nodiscard]] CKPT_SHARED_ARITHMETIC inline float number_of(Element element, std::uint32_t code,
                                                            std::int32_t zero) {
  switch (element) {
    case Element::code:
      return static_cast<float>(static_cast<std::int32_t>(code) - zero);
    case Element::i8:
      return static_cast<float>(static_cast<std::int8_t>(code) - zero);
    case Element::e4m3:
      return e4m3_to_f32(static_cast<std::uint8_t>(code));
    case Element::e5m2:
      return e5m2_to_f32(static_cast<std::uint8_t>(code));
    case Element::e2m1:
      return e2m1_to_f32(static_cast<std::uint8_t>(code));
  }
  return 0;
}

/// Group of input k.
[[nodiscard]] CKPT_SHARED_ARITHMETIC inline std::int64_t group_at(const MatrixView& view,
                                                                  std::int64_t k) {
  if (view.group_of_k.empty()) return k / view.packed.group_size;
  return load<std::int32_t>(view.group_of_k.data() + k * 4);
}

/// The nearest 16-bit number, as f32.
[[nodiscard]] CKPT_SHARED_ARITHMETIC inline float rounded_to(float x, Rounding rounding) {
  if (rounding == Rounding::bf16) return bf16_to_f32(f32_to_bf16(x));
  return rounding == Rounding::f16 ? f16_to_f32(f32_to_f16(x)) : x;
}

/// W[n, k] of packed storage.
[[nodiscard]] CKPT_SHARED_ARITHMETIC inline float packed_value(const MatrixView& view,
                                                               std::int64_t n, std::int64_t k) {
  const std::int64_t g = group_at(view, k);
  const float number = number_of(view.packed.element, code_at(view, n, k), zero_at(view, n, g));
  return rounded_to(scale_at(view, n, g) * number, view.packed.rounding);
}

}  // namespace ckpt::kernels
