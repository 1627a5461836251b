#include "validator/quant/layout.h"

#include <fmt/format.h>

#include <array>
#include <vector>

#include "validator/base/bits.h"

namespace ckpt::quant {
namespace {

std::uint64_t words_for(std::uint64_t codes, unsigned bits) {
  return (codes * bits + 31) / 32;
}

/// Bytes of one row of words [N, ceil(K*b/32)] or of bytes [N, K*b/8].
std::uint64_t row_bytes(const Layout& l) {
  return l.rows_are_bytes ? (l.k * l.bits + 7) / 8 : 4 * words_for(l.k, l.bits);
}

float scale_number(const Layout& l, const std::byte* base, std::uint64_t index) {
  switch (l.scale_dtype) {
    case Dtype::f16:
      return f16_to_f32(load<std::uint16_t>(base + 2 * index));
    case Dtype::bf16:
      return bf16_to_f32(load<std::uint16_t>(base + 2 * index));
    case Dtype::f8_e4m3:
      return e4m3_to_f32(load<std::uint8_t>(base + index));
    case Dtype::f8_e8m0:
      return e8m0_to_f32(load<std::uint8_t>(base + index));
    default:
      return load<float>(base + 4 * index);
  }
}

float load_scale(const Layout& l, const std::byte* base, std::uint64_t row, std::uint64_t group) {
  const std::uint64_t block = row / l.rows_per_scale;
  const float s = scale_number(
      l, base, l.scales_row_is_out ? block * l.groups + group : group * l.scale_rows() + block);
  return l.factor_divides ? s / l.scale_factor : s * l.scale_factor;
}

/// Code `i` of a dense bit stream whose word `j` lies at `base + 4 * j * stride` (formats, 2).
std::uint32_t stream_code(const std::byte* base, std::uint64_t stride, std::uint64_t i,
                          unsigned bits) {
  const std::uint64_t at = i * bits;
  const std::uint64_t word = at / 32;
  const auto shift = static_cast<unsigned>(at % 32);
  std::uint64_t value = load<std::uint32_t>(base + 4 * word * stride);
  if (shift + bits > 32) {
    value |= static_cast<std::uint64_t>(load<std::uint32_t>(base + 4 * (word + 1) * stride)) << 32;
  }
  return static_cast<std::uint32_t>((value >> shift) & ((1ULL << bits) - 1));
}

/// The same where the words follow each other, byte by byte: rows need not end on a word.
std::uint32_t row_code(const std::byte* row, std::uint64_t i, unsigned bits) {
  const std::uint64_t at = i * bits;
  const auto shift = static_cast<unsigned>(at % 8);
  std::uint32_t value = load<std::uint8_t>(row + at / 8);
  if (shift + bits > 8) value |= std::uint32_t{load<std::uint8_t>(row + at / 8 + 1)} << 8;
  return (value >> shift) & ((1U << bits) - 1);
}

/// Column 8c + j of AWQ's word c stands at this nibble (formats, 4).
constexpr std::array<unsigned, 8> kAwqNibble{0, 4, 1, 5, 2, 6, 3, 7};

std::uint32_t awq_code(const std::byte* row, std::uint64_t column) {
  const auto word = load<std::uint32_t>(row + 4 * (column / 8));
  return (word >> (4 * kAwqNibble[column % 8])) & 0xFU;
}

struct Sizes {
  std::uint64_t words;
  std::uint64_t zeros;
  std::uint64_t scales;
};

Sizes sizes_of(const Layout& l) {
  Sizes s{};
  if (l.words_row_is_out) {
    s.words = row_bytes(l) * l.n;
  } else if (l.pack_axis == PackAxis::in) {
    s.words = 4 * words_for(l.k, l.bits) * l.n;
  } else {
    s.words = 4 * l.k * words_for(l.n, l.bits);
  }
  if (l.has_zeros) {
    s.zeros = l.zeros_are_bytes ? l.n * l.groups : 4 * words_for(l.n, l.bits) * l.groups;
  }
  s.scales = dtype_bits(l.scale_dtype) / 8 * l.scale_rows() * l.groups;
  return s;
}

int zero_of(const PackedLinear& p, std::uint64_t row, std::uint64_t group) {
  const Layout& l = p.layout;
  if (!l.has_zeros) return 0;
  if (l.zeros_are_bytes) return load<std::int8_t>(p.zeros.data() + row * l.groups + group);
  if (l.awq_order) {
    return static_cast<int>(awq_code(p.zeros.data() + 4 * group * words_for(l.n, 4), row));
  }
  const std::byte* base = l.zeros_row_is_out ? p.zeros.data() + 4 * group
                                             : p.zeros.data() + 4 * group * words_for(l.n, l.bits);
  const std::uint64_t stride = l.zeros_row_is_out ? l.groups : 1;
  return static_cast<int>(stream_code(base, stride, row, l.bits)) + l.zero_offset - l.code_offset;
}

std::uint32_t code_of(const PackedLinear& p, std::uint64_t row, std::uint64_t column) {
  const Layout& l = p.layout;
  if (l.words_row_is_out) return row_code(p.words.data() + row * row_bytes(l), column, l.bits);
  if (l.awq_order) return awq_code(p.words.data() + 4 * column * words_for(l.n, 4), row);
  return stream_code(p.words.data() + 4 * row, l.n, column, l.bits);
}

/// Element minus zero, exact in f32.
float element_of(const Layout& l, std::uint32_t code, int zero) {
  switch (l.element) {
    case Element::code:
      return static_cast<float>(static_cast<int>(code) - l.code_offset - zero);
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

Result<std::vector<std::uint64_t>> groups_of(const PackedLinear& p) {
  const Layout& l = p.layout;
  std::vector<std::uint64_t> group(l.k);
  for (std::uint64_t k = 0; k < l.k; ++k) {
    group[k] = k / l.group_size;
    if (p.g_idx.empty()) continue;
    const auto g = load<std::int32_t>(p.g_idx.data() + 4 * k);
    // g_idx comes from a file and is an index into memory.
    if (g < 0 || static_cast<std::uint64_t>(g) >= l.groups) {
      return fail(ErrorKind::format,
                  fmt::format("g_idx[{}] is {}, outside 0 ... {}", k, g, l.groups - 1));
    }
    group[k] = static_cast<std::uint64_t>(g);
  }
  return group;
}

bool sizes_fit(const PackedLinear& p, std::uint64_t row_begin, std::uint64_t row_end,
               std::size_t out) {
  const Layout& l = p.layout;
  if (l.bits < 1 || l.bits > 8 || l.group_size == 0 || l.rows_per_scale == 0) return false;
  const Sizes need = sizes_of(l);
  return row_begin <= row_end && row_end <= l.n && out == (row_end - row_begin) * l.k &&
         p.words.size() == need.words && p.zeros.size() == need.zeros &&
         p.scales.size() == need.scales && (p.g_idx.empty() || p.g_idx.size() == 4 * l.k);
}

}  // namespace

Result<void> decode_rows(const PackedLinear& p, std::uint64_t row_begin, std::uint64_t row_end,
                         std::span<float> out) {
  const Layout& l = p.layout;
  if (!sizes_fit(p, row_begin, row_end, out.size())) {
    return fail(ErrorKind::format,
                fmt::format("packed linear [{}, {}]: {} bytes of words, {} of zeros, {} of scales "
                            "do not fit the layout",
                            l.n, l.k, p.words.size(), p.zeros.size(), p.scales.size()));
  }
  CKPT_TRY(const std::vector<std::uint64_t> group, groups_of(p), "groups");
  std::vector<float> scale(l.groups);
  std::vector<int> zero(l.groups);
  for (std::uint64_t row = row_begin; row < row_end; ++row) {
    for (std::uint64_t g = 0; g < l.groups; ++g) {
      scale[g] = load_scale(l, p.scales.data(), row, g);
      zero[g] = zero_of(p, row, g);
    }
    float* to = out.data() + (row - row_begin) * l.k;
    for (std::uint64_t k = 0; k < l.k; ++k) {
      to[k] = scale[group[k]] * element_of(l, code_of(p, row, k), zero[group[k]]);
    }
  }
  return {};
}

}  // namespace ckpt::quant
