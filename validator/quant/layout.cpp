#include "validator/quant/layout.h"

#include <fmt/format.h>

#include <array>
#include <vector>

#include "validator/base/bits.h"

namespace ckpt::quant {
namespace {

using container::Tensor;

const Tensor* tensor_of(const Stored& s, Member m, const container::Checkpoint& c) {
  const std::int32_t i = s.at(m);
  return i < 0 ? nullptr : &c.tensors()[static_cast<std::size_t>(i)];
}

std::uint64_t words_for(std::uint64_t codes, unsigned bits) {
  return (codes * bits + 31) / 32;
}

bool scale_dtype_known(Dtype d) {
  return d == Dtype::f16 || d == Dtype::bf16 || d == Dtype::f32;
}

float load_scale(const IntLayout& l, const std::byte* base, std::uint64_t index) {
  switch (l.scale_dtype) {
    case Dtype::f16:
      return f16_to_f32(load<std::uint16_t>(base + 2 * index));
    case Dtype::bf16:
      return bf16_to_f32(load<std::uint16_t>(base + 2 * index));
    default:
      return load<float>(base + 4 * index);
  }
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

Sizes sizes_of(const IntLayout& l) {
  const bool along_in = l.pack_axis == PackAxis::in;
  const std::uint64_t words =
      along_in ? words_for(l.k, l.bits) * l.n : l.k * words_for(l.n, l.bits);
  const std::uint64_t zeros = l.has_zeros ? words_for(l.n, l.bits) * l.groups : 0;
  const std::uint64_t scale_bytes = dtype_bits(l.scale_dtype) / 8;
  return {4 * words, 4 * zeros, scale_bytes * l.n * l.groups};
}

int zero_of(const PackedLinear& p, std::uint64_t row, std::uint64_t group) {
  const IntLayout& l = p.layout;
  if (!l.has_zeros) return 0;
  if (l.awq_order) {
    return static_cast<int>(awq_code(p.zeros.data() + 4 * group * words_for(l.n, 4), row));
  }
  const std::byte* base = l.zeros_row_is_out ? p.zeros.data() + 4 * group
                                             : p.zeros.data() + 4 * group * words_for(l.n, l.bits);
  const std::uint64_t stride = l.zeros_row_is_out ? l.groups : 1;
  return static_cast<int>(stream_code(base, stride, row, l.bits)) + l.zero_offset - l.code_offset;
}

int code_of(const PackedLinear& p, std::uint64_t row, std::uint64_t column) {
  const IntLayout& l = p.layout;
  if (l.awq_order) {
    return static_cast<int>(awq_code(p.words.data() + 4 * column * words_for(l.n, 4), row));
  }
  const std::byte* base = l.words_row_is_out ? p.words.data() + 4 * row * words_for(l.k, l.bits)
                                             : p.words.data() + 4 * row;
  const std::uint64_t stride = l.words_row_is_out ? 1 : l.n;
  return static_cast<int>(stream_code(base, stride, column, l.bits)) - l.code_offset;
}

Result<IntLayout> gptq_layout(const Stored& s, const arch::Module& m,
                              const container::Checkpoint& c, bool zeros_v2) {
  IntLayout l;
  l.bits = static_cast<unsigned>(s.bits);
  l.n = m.shape[0];
  l.k = m.shape[1];
  l.awq_order = s.format == Format::awq;
  l.pack_axis = l.awq_order ? PackAxis::out : PackAxis::in;
  l.zero_offset = l.awq_order || zeros_v2 ? 0 : 1;
  const Tensor* scales = tensor_of(s, Member::scales, c);
  const Tensor* zeros = tensor_of(s, Member::qzeros, c);
  if (scales == nullptr || zeros == nullptr) {
    return fail(ErrorKind::format, fmt::format("{}: scales or qzeros are not stored", m.name));
  }
  l.scale_dtype = scales->dtype;
  const std::size_t rank = scales->shape.size();
  l.groups = rank >= 2 ? scales->shape[rank - 2] : 1;
  return l;
}

Result<IntLayout> ct_layout(const Stored& s, const arch::Module& m,
                            const container::Checkpoint& c) {
  IntLayout l;
  l.bits = static_cast<unsigned>(s.bits);
  l.n = m.shape[0];
  l.k = m.shape[1];
  l.words_row_is_out = true;
  l.scales_row_is_out = true;
  l.zeros_row_is_out = true;
  l.code_offset = 1 << (s.bits - 1);
  l.has_zeros = s.at(Member::weight_zero_point) >= 0;
  const Tensor* scales = tensor_of(s, Member::weight_scale, c);
  if (scales == nullptr) {
    return fail(ErrorKind::format, fmt::format("{}: weight_scale is not stored", m.name));
  }
  l.scale_dtype = scales->dtype;
  l.groups = scales->shape.empty() ? 1 : scales->shape.back();
  return l;
}

}  // namespace

bool stores_zero_plainly(const config::QuantConfig& q) {
  if (q.method == config::QuantMethod::gptq) return q.checkpoint_format == "gptq_v2";
  return q.packing_format == "auto_round" || q.packing_format == "auto_round:gptqmodel";
}

Result<IntLayout> int_layout(const Stored& stored, const arch::Module& module,
                             const container::Checkpoint& checkpoint, bool zeros_v2,
                             std::int64_t config_group_size) {
  if (module.shape.size() != 2 || stored.bits < 1 || stored.bits > 8) {
    return fail(ErrorKind::format,
                fmt::format("{}: the stored shapes give no width from 1 to 8 bits", module.name));
  }
  const bool gptq = stored.format == Format::gptq || stored.format == Format::awq;
  if (!gptq && stored.format != Format::ct_packed) {
    return fail(ErrorKind::unsupported, fmt::format("{}: format {} is not decoded", module.name,
                                                    format_name(stored.format)));
  }
  CKPT_TRY(IntLayout l,
           gptq ? gptq_layout(stored, module, checkpoint, zeros_v2)
                : ct_layout(stored, module, checkpoint),
           "layout");
  if (!scale_dtype_known(l.scale_dtype)) {
    return fail(ErrorKind::unsupported,
                fmt::format("{}: scales of dtype {}", module.name, dtype_name(l.scale_dtype)));
  }
  if (l.groups == 0 || l.groups > l.k) {
    return fail(ErrorKind::format,
                fmt::format("{}: {} groups over {} inputs", module.name, l.groups, l.k));
  }
  l.group_size = stored.group_size > 0 ? static_cast<std::uint64_t>(stored.group_size) : l.k;
  if (const auto g = static_cast<std::uint64_t>(config_group_size);
      config_group_size > 0 && g < l.k && (l.k + g - 1) / g == l.groups) {
    l.group_size = g;
  }
  if ((l.k + l.group_size - 1) / l.group_size != l.groups) {
    return fail(ErrorKind::format, fmt::format("{}: {} groups do not cut {} inputs evenly",
                                               module.name, l.groups, l.k));
  }
  return l;
}

Result<void> decode_rows(const PackedLinear& p, std::uint64_t row_begin, std::uint64_t row_end,
                         std::span<float> out) {
  const IntLayout& l = p.layout;
  const Sizes need = sizes_of(l);
  if (row_begin > row_end || row_end > l.n || out.size() != (row_end - row_begin) * l.k ||
      p.words.size() != need.words || p.zeros.size() != need.zeros ||
      p.scales.size() != need.scales || (!p.g_idx.empty() && p.g_idx.size() != 4 * l.k)) {
    return fail(ErrorKind::format,
                fmt::format("packed linear [{}, {}]: {} bytes of words, {} of zeros, {} of scales "
                            "do not fit the layout",
                            l.n, l.k, p.words.size(), p.zeros.size(), p.scales.size()));
  }
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
  std::vector<float> scale(l.groups);
  std::vector<int> zero(l.groups);
  for (std::uint64_t row = row_begin; row < row_end; ++row) {
    for (std::uint64_t g = 0; g < l.groups; ++g) {
      scale[g] =
          load_scale(l, p.scales.data(), l.scales_row_is_out ? row * l.groups + g : g * l.n + row);
      zero[g] = zero_of(p, row, g);
    }
    float* to = out.data() + (row - row_begin) * l.k;
    for (std::uint64_t k = 0; k < l.k; ++k) {
      to[k] = scale[group[k]] * static_cast<float>(code_of(p, row, k) - zero[group[k]]);
    }
  }
  return {};
}

}  // namespace ckpt::quant
