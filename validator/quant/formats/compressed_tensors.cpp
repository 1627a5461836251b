// compressed-tensors' integer formats (formats, 5.2 and 5.3): pack-quantized words [N,
// ceil(K*b/32)] with signed codes stored above 2^(b-1), and int-quantized bytes.

#include "validator/quant/formats/common.h"

namespace ckpt::quant {

Result<Codec> pack_quantized_codec(const PackedModule& p) {
  Codec c{.layout = {},
          .words = Member::weight_packed,
          .scales = Member::weight_scale,
          .zeros = {},
          .factor = {}};
  Layout& l = c.layout;
  l.bits = static_cast<unsigned>(p.stored.bits);
  l.n = p.module.shape[0];
  l.k = p.module.shape[1];
  l.words_row_is_out = true;
  l.zeros_row_is_out = true;
  l.code_offset = 1 << (l.bits - 1);
  l.has_zeros = p.tensor(Member::weight_zero_point) != nullptr;
  if (l.has_zeros) c.zeros = Member::weight_zero_point;
  CKPT_TRY(const container::Tensor* scales, need(p, Member::weight_scale), "scales");
  CKPT_TRY(l.scale_dtype, float_scale(p, *scales), "scales");
  CKPT_TRY_VOID(set_scale_grid(p, Member::weight_scale, l), "scales");
  return c;
}

Result<Codec> int_quantized_codec(const PackedModule& p) {
  Codec c{.layout = {},
          .words = Member::weight,
          .scales = Member::weight_scale,
          .zeros = {},
          .factor = {}};
  Layout& l = c.layout;
  l.element = Element::i8;
  l.bits = 8;
  l.n = p.module.shape[0];
  l.k = p.module.shape[1];
  l.words_row_is_out = true;
  l.rows_are_bytes = true;
  l.zeros_are_bytes = true;
  l.has_zeros = p.tensor(Member::weight_zero_point) != nullptr;
  if (l.has_zeros) c.zeros = Member::weight_zero_point;
  CKPT_TRY(const container::Tensor* scales, need(p, Member::weight_scale), "scales");
  CKPT_TRY(l.scale_dtype, float_scale(p, *scales), "scales");
  CKPT_TRY_VOID(set_scale_grid(p, Member::weight_scale, l), "scales");
  if (l.has_zeros && l.rows_per_scale != 1) {
    return fail(ErrorKind::unsupported,
                fmt::format("{}: zero points over blocks of rows", p.module.name));
  }
  return c;
}

}  // namespace ckpt::quant
