// Weight panels from any stored layout: the fast ones by a Level, the rest code by code.

#include <algorithm>

#include "kernels/cpu/cpu_ops.h"
#include "validator/base/bits.h"

namespace ckpt::kernels::cpu {

namespace {

// Column of nibble i of an AWQ word.
constexpr std::int64_t kAwqColumn[8] = {0, 2, 4, 6, 1, 3, 5, 7};

// Code `index` of a run of dense `bits`-wide codes, low bits first; it may straddle two words.
std::uint32_t code_in_run(const std::byte* run, std::int64_t word_bytes, std::int64_t index,
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

std::int64_t words_of(std::int64_t codes, unsigned bits) {
  return (codes * static_cast<std::int64_t>(bits) + 31) / 32;
}

// Place of column n among the nibbles of AWQ's order.
std::int64_t awq_place(std::int64_t n) {
  const auto* at = std::find(std::begin(kAwqColumn), std::end(kAwqColumn), n % 8);
  return n - n % 8 + (at - std::begin(kAwqColumn));
}

std::uint32_t code_at(const MatrixView& view, std::int64_t n, std::int64_t k) {
  const PackedLayout& p = view.packed;
  const std::byte* words = view.data.data();
  if (p.pack_axis == PackAxis::out) {  // words [K, N*b/32]
    const std::int64_t place = p.awq_order ? awq_place(n) : n;
    return code_in_run(words + k * words_of(view.n, p.bits) * 4, 4, place, p.bits);
  }
  if (p.words_row_is_out) {  // words [N, K*b/32]
    return code_in_run(words + n * words_of(view.k, p.bits) * 4, 4, k, p.bits);
  }
  return code_in_run(words + n * 4, view.n * 4, k, p.bits);  // words [K*b/32, N]
}

std::int32_t zero_at(const MatrixView& view, std::int64_t n, std::int64_t g) {
  const PackedLayout& p = view.packed;
  if (!p.has_zeros) return p.code_offset;
  const std::byte* words = view.zeros.data();
  std::uint32_t stored = 0;
  if (p.zeros_row_is_out) {  // [N*b/32, G]
    stored = code_in_run(words + g * 4, p.groups * 4, n, p.bits);
  } else {
    const std::int64_t place = p.awq_order ? awq_place(n) : n;
    stored = code_in_run(words + g * words_of(view.n, p.bits) * 4, 4, place, p.bits);
  }
  return static_cast<std::int32_t>(stored) + p.zero_offset + p.code_offset;
}

float scale_at(const MatrixView& view, std::int64_t n, std::int64_t g) {
  const PackedLayout& p = view.packed;
  const std::int64_t index = p.scales_row_is_out ? n * p.groups + g : g * view.n + n;
  const std::byte* at = view.scales.data();
  switch (p.scale_storage) {
    case Storage::f16:
      return f16_to_f32(load<std::uint16_t>(at + index * 2));
    case Storage::bf16:
      return bf16_to_f32(load<std::uint16_t>(at + index * 2));
    case Storage::f32:
      return load<float>(at + index * 4);
    case Storage::packed:
      break;
  }
  return 0;
}

}  // namespace

PanelReader::PanelReader(const Level& level, const MatrixView& view, std::int64_t n_begin)
    : level_(level), view_(view), n_begin_(n_begin), cols_(std::min(kPanel, view.n - n_begin)) {
  if (view.storage != Storage::packed) return;
  const PackedLayout& p = view.packed;
  fast_ = p.bits == 4 && p.pack_axis == PackAxis::in && !p.words_row_is_out &&
          view.group_of_k.empty() && cols_ == kPanel && view.k % 8 == 0;
  unpack_groups();
}

void PanelReader::unpack_groups() {
  const std::int64_t groups = view_.packed.groups;
  scales_ = make_scratch(groups * kPanel);
  const auto count = static_cast<std::size_t>(groups * kPanel);
  zeros_ = std::unique_ptr<std::int32_t[]>(new (std::nothrow) std::int32_t[count]);
  ok_ = scales_ != nullptr && zeros_ != nullptr;
  if (!ok_) return;
  for (std::int64_t g = 0; g < groups; ++g) {
    for (std::int64_t j = 0; j < kPanel; ++j) {
      const bool inside = j < cols_;
      scales_[static_cast<std::size_t>(g * kPanel + j)] =
          inside ? scale_at(view_, n_begin_ + j, g) : 0.0F;
      zeros_[static_cast<std::size_t>(g * kPanel + j)] =
          inside ? zero_at(view_, n_begin_ + j, g) : 0;
    }
  }
}

DecodeArgs PanelReader::codes(std::int64_t k_begin, std::int64_t k_end, float* to) const {
  return {.words = view_.data.data() + n_begin_ * 4,
          .row_bytes = view_.n * 4,
          .k_begin = k_begin,
          .k_end = k_end,
          .scales = scales_.get(),
          .zeros = zeros_.get(),
          .group_size = view_.packed.group_size,
          .rounding = view_.packed.rounding,
          .to = to};
}

TransposeArgs PanelReader::rows(std::int64_t k_begin, std::int64_t k_end, float* to) const {
  const std::int64_t width = view_.storage == Storage::f32 ? 4 : 2;
  const std::int64_t stride = view_.row_stride == 0 ? view_.k : view_.row_stride;
  return {.from = view_.data.data() + (n_begin_ * stride + k_begin) * width,
          .row_bytes = stride * width,
          .n = cols_,
          .k = k_end - k_begin,
          .to = to};
}

void PanelReader::read(std::int64_t k_begin, std::int64_t k_end, float* to) const {
  if (view_.storage != Storage::packed) return read_floats(k_begin, k_end, to);
  if (!fast_) return read_codes(k_begin, k_end, to);
  level_.decode_int4(codes(k_begin, k_end, to));
}

void PanelReader::read_pairs(const Bf16Kernels& kernels, std::int64_t k_begin, std::int64_t k_end,
                             float* scratch, std::uint32_t* to) const {
  if (view_.storage == Storage::bf16) {
    return kernels.transpose(rows(k_begin, k_end, nullptr), to);
  }
  if (fast_ && view_.packed.group_size % 8 == 0) {
    return kernels.decode_int4(codes(k_begin, k_end, nullptr), to);
  }
  read(k_begin, k_end, scratch);
  kernels.pack(scratch, k_end - k_begin, to);
}

void PanelReader::read_floats(std::int64_t k_begin, std::int64_t k_end, float* to) const {
  const TransposeArgs args = rows(k_begin, k_end, to);
  if (view_.storage == Storage::f32) level_.transpose_f32(args);
  if (view_.storage == Storage::bf16) level_.transpose_bf16(args);
  if (view_.storage == Storage::f16) level_.transpose_f16(args);
}

void PanelReader::read_codes(std::int64_t k_begin, std::int64_t k_end, float* to) const {
  for (std::int64_t k = k_begin; k < k_end; ++k) {
    std::int64_t g = k / view_.packed.group_size;
    if (!view_.group_of_k.empty()) g = load<std::int32_t>(view_.group_of_k.data() + k * 4);
    const float* scales = scales_.get() + g * kPanel;
    const std::int32_t* zeros = zeros_.get() + g * kPanel;
    float* row = to + (k - k_begin) * kPanel;
    for (std::int64_t j = 0; j < kPanel; ++j) {
      row[j] = 0;
      if (j >= cols_) continue;
      const auto code = static_cast<std::int32_t>(code_at(view_, n_begin_ + j, k));
      row[j] = scales[j] * static_cast<float>(code - zeros[j]);
    }
    level_.round(row, kPanel, view_.packed.rounding);
  }
}

}  // namespace ckpt::kernels::cpu
