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

// The same in a row of bytes, which need not end on a word.
std::uint32_t code_in_row(const std::byte* row, std::int64_t index, unsigned bits) {
  const std::int64_t bit = index * static_cast<std::int64_t>(bits);
  const auto shift = static_cast<unsigned>(bit % 8);
  std::uint32_t value = load<std::uint8_t>(row + bit / 8);
  if (shift + bits > 8) value |= std::uint32_t{load<std::uint8_t>(row + bit / 8 + 1)} << 8;
  return (value >> shift) & ((1U << bits) - 1);
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
  if (p.words_row_is_out) return code_in_row(words + n * packed_row_bytes(view), k, p.bits);
  return code_in_run(words + n * 4, view.n * 4, k, p.bits);  // words [K*b/32, N]
}

std::int32_t zero_at(const MatrixView& view, std::int64_t n, std::int64_t g) {
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

float scale_at(const MatrixView& view, std::int64_t n, std::int64_t g) {
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

// An element as the number it stands for; the small floats have no zero.
float number_of(Element element, std::uint32_t code, std::int32_t zero) {
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

}  // namespace

PanelReader::PanelReader(const Level& level, const MatrixView& view, std::int64_t n_begin)
    : level_(level), view_(view), n_begin_(n_begin), cols_(std::min(kPanel, view.n - n_begin)) {
  if (view.storage != Storage::packed) return;
  const PackedLayout& p = view.packed;
  const bool width = p.bits == 2 || p.bits == 4 || p.bits == 8;
  if (p.awq_order) {
    path_ = cols_ == kPanel ? Path::awq : Path::codes;
  } else if (width && p.words_row_is_out) {
    path_ = packed_row_bytes(view) % 4 == 0 ? Path::turned_words : Path::codes;
  } else if (width && p.pack_axis == PackAxis::in && cols_ == kPanel) {
    path_ = Path::words;
  }
  if (path_ == Path::turned_words) {
    words_ = make_scratch(words_of(kDepth, p.bits) * kPanel);
    ok_ = words_ != nullptr;
  }
  if (ok_) unpack_groups();
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
  const PackedLayout& p = view_.packed;
  const std::int64_t word_row = k_begin * static_cast<std::int64_t>(p.bits) / 32;
  DecodeArgs args{.words = view_.data.data() + (word_row * view_.n + n_begin_) * 4,
                  .row_bytes = view_.n * 4,
                  .element = p.element,
                  .bits = p.bits,
                  .k_begin = k_begin,
                  .k_end = k_end,
                  .scales = scales_.get(),
                  .zeros = zeros_.get(),
                  .group_size = p.group_size,
                  .group_of_k = view_.group_of_k.empty() ? nullptr : view_.group_of_k.data(),
                  .rounding = p.rounding,
                  .to = to};
  if (path_ == Path::awq) {
    args.row_bytes = words_of(view_.n, p.bits) * 4;
    args.words = view_.data.data() + k_begin * args.row_bytes + n_begin_ / 8 * 4;
  }
  if (path_ == Path::turned_words) {
    // The words of 32 rows side by side look like those that are packed down a column.
    const std::int64_t row_bytes = packed_row_bytes(view_);
    level_.transpose_f32({.from = view_.data.data() + n_begin_ * row_bytes + word_row * 4,
                          .row_bytes = row_bytes,
                          .n = cols_,
                          .k = words_of(k_end - k_begin, p.bits),
                          .to = words_.get()});
    args.words = reinterpret_cast<const std::byte*>(words_.get());
    args.row_bytes = kPanel * 4;
  }
  return args;
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
  switch (path_) {
    case Path::codes:
      return read_codes(k_begin, k_end, to);
    case Path::awq:
      return level_.decode_awq(codes(k_begin, k_end, to));
    case Path::words:
    case Path::turned_words:
      return level_.decode(codes(k_begin, k_end, to));
  }
}

void PanelReader::read_pairs(const Bf16Kernels& kernels, std::int64_t k_begin, std::int64_t k_end,
                             float* scratch, std::uint32_t* to) const {
  if (view_.storage == Storage::bf16) {
    return kernels.transpose(rows(k_begin, k_end, nullptr), to);
  }
  if (path_ == Path::words || path_ == Path::turned_words) {
    const DecodeArgs args = codes(k_begin, k_end, nullptr);
    if (args.whole_words()) return kernels.decode(args, to);
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
      const std::uint32_t code = code_at(view_, n_begin_ + j, k);
      row[j] = scales[j] * number_of(view_.packed.element, code, zeros[j]);
    }
    level_.round(row, kPanel, view_.packed.rounding);
  }
}

}  // namespace ckpt::kernels::cpu
