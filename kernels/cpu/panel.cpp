// Weight panels from any stored layout: the fast ones by a Level, the rest code by code.

#include <algorithm>

#include "kernels/cpu/cpu_ops.h"
#include "kernels/packed.h"

namespace ckpt::kernels::cpu {

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
    const std::int64_t g = group_at(view_, k);
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
