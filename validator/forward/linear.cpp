#include "validator/forward/linear.h"

#include <fmt/format.h>

#include <utility>

namespace ckpt::forward {

namespace {

Result<kernels::Storage> storage_of(Dtype dtype, std::string_view name) {
  switch (dtype) {
    case Dtype::f32:
      return kernels::Storage::f32;
    case Dtype::bf16:
      return kernels::Storage::bf16;
    case Dtype::f16:
      return kernels::Storage::f16;
    default:
      return fail(ErrorKind::unsupported, fmt::format("{}: dtype {}", name, dtype_name(dtype)));
  }
}

kernels::Element element_of(quant::Element element) {
  switch (element) {
    case quant::Element::code:
      return kernels::Element::code;
    case quant::Element::i8:
      return kernels::Element::i8;
    case quant::Element::e4m3:
      return kernels::Element::e4m3;
    case quant::Element::e5m2:
      return kernels::Element::e5m2;
    case quant::Element::e2m1:
      break;
  }
  return kernels::Element::e2m1;
}

Result<kernels::ScaleType> scale_type_of(Dtype dtype, std::string_view name) {
  switch (dtype) {
    case Dtype::f32:
      return kernels::ScaleType::f32;
    case Dtype::bf16:
      return kernels::ScaleType::bf16;
    case Dtype::f16:
      return kernels::ScaleType::f16;
    case Dtype::f8_e4m3:
      return kernels::ScaleType::e4m3;
    case Dtype::f8_e8m0:
      return kernels::ScaleType::e8m0;
    default:
      return fail(ErrorKind::unsupported,
                  fmt::format("{}: scales of dtype {}", name, dtype_name(dtype)));
  }
}

}  // namespace

Result<kernels::MatrixView> matrix_view(const weights::Parameter& p, kernels::Rounding rounding) {
  kernels::MatrixView view;
  view.n = static_cast<std::int64_t>(p.rows());
  view.k = static_cast<std::int64_t>(p.row_size());
  view.data = p.data;
  if (!p.packed) {
    CKPT_TRY(view.storage, storage_of(p.dtype, p.name), "weights");
    return view;
  }
  const quant::Layout& l = p.layout;
  view.storage = kernels::Storage::packed;
  view.zeros = p.zeros;
  view.scales = p.scales;
  view.group_of_k = p.g_idx;
  kernels::PackedLayout& to = view.packed;
  to.element = element_of(l.element);
  to.bits = l.bits;
  to.rounding = rounding;
  to.pack_axis =
      l.pack_axis == quant::PackAxis::in ? kernels::PackAxis::in : kernels::PackAxis::out;
  to.words_row_is_out = l.words_row_is_out;
  to.rows_are_bytes = l.rows_are_bytes;
  to.awq_order = l.awq_order;
  // With stored zeros the signed offset stands on both sides of the difference and cancels.
  to.code_offset = l.has_zeros ? 0 : l.code_offset;
  to.has_zeros = l.has_zeros;
  to.zeros_are_bytes = l.zeros_are_bytes;
  to.zero_offset = l.zero_offset;
  to.zeros_row_is_out = l.zeros_row_is_out;
  to.scales_row_is_out = l.scales_row_is_out;
  to.rows_per_scale = static_cast<std::int64_t>(l.rows_per_scale);
  CKPT_TRY(to.scale_type, scale_type_of(l.scale_dtype, p.name), "scales");
  to.scale_factor = l.scale_factor;
  to.factor_divides = l.factor_divides;
  to.groups = static_cast<std::int64_t>(l.groups);
  to.group_size = static_cast<std::int64_t>(l.group_size);
  return view;
}

Result<void> WeightFeed::make_matrix(Linear& linear) {
  if (linear.matrix != nullptr) return {};
  CKPT_TRY(const kernels::MatrixView view, matrix_view(linear.parameter, rounding_), "weights");
  CKPT_TRY(linear.matrix, ops_.matrix(view), linear.parameter.name);
  return {};
}

// Whatever fails here is tried again, or told, when its turn comes.
void WeightFeed::look_ahead() {
  while (early_bytes_ < limit_) {
    auto ready = queue_.next_if_ready();
    if (!ready) return;
    if (!*ready) {
      early_.emplace_back(tl::make_unexpected(std::move(*ready).error()));
      return;
    }
    Linear& linear = *early_.emplace_back(Linear{std::move(**ready), nullptr});
    early_bytes_ += linear.parameter.bytes();
    if (linear.parameter.shape.size() == 2) static_cast<void>(make_matrix(linear));
  }
}

Result<Linear> WeightFeed::next() {
  if (early_.empty()) {
    Linear linear;
    CKPT_TRY(linear.parameter, queue_.next(), "read");
    return linear;
  }
  Result<Linear> out = std::move(early_.front());
  early_.pop_front();
  if (!out) return tl::make_unexpected(std::move(out).error().in("read"));
  early_bytes_ -= out->parameter.bytes();
  return out;
}

Result<Linear> WeightFeed::next_linear() {
  CKPT_TRY(Linear linear, next(), "weights");
  CKPT_TRY_VOID(make_matrix(linear), "weights");
  look_ahead();
  return linear;
}

Result<std::vector<float>> WeightFeed::next_vector() {
  CKPT_TRY(const Linear linear, next(), "weights");
  return linear.parameter.decode_all();
}

}  // namespace ckpt::forward
