#pragma once
// What several codec families ask of their tensors.

#include <fmt/format.h>

#include "validator/quant/codec.h"

namespace ckpt::quant {

/// A tensor that the format cannot do without. Errors: format (not stored).
[[nodiscard]] inline Result<const container::Tensor*> need(const PackedModule& p, Member member) {
  const container::Tensor* t = p.tensor(member);
  if (t != nullptr) return t;
  return fail(ErrorKind::format,
              fmt::format("{}: {} is not stored", p.module.name, member_name(member)));
}

/// The dtype of integer or FP8 scales. Errors: unsupported.
[[nodiscard]] inline Result<Dtype> float_scale(const PackedModule& p, const container::Tensor& t) {
  if (t.dtype == Dtype::f16 || t.dtype == Dtype::bf16 || t.dtype == Dtype::f32) return t.dtype;
  return fail(ErrorKind::unsupported,
              fmt::format("{}: scales of dtype {}", p.module.name, dtype_name(t.dtype)));
}

/// Scales over rows and groups of a row-major weight: one, [N, 1], [N], [N, G] or blocks [R, G].
/// Fills groups, group_size, rows_per_scale. Errors: format (a grid that does not cover W).
[[nodiscard]] Result<void> set_scale_grid(const PackedModule& p, Member member, Layout& layout);

}  // namespace ckpt::quant
