// FP8 weights (formats, 5.3 and 6.2): bytes [N, K] with one scale per tensor, per row, per block,
// or per 32 inputs (MXFP8). Every scale multiplies, `weight_scale_inv` too.

#include "validator/quant/formats/common.h"

namespace ckpt::quant {

Result<Codec> float8_codec(const PackedModule& p) {
  const bool inverse = p.stored.format == Format::fp8_block;
  Codec c{.layout = {},
          .words = Member::weight,
          .scales = inverse ? Member::weight_scale_inv : Member::weight_scale,
          .zeros = {},
          .factor = {}};
  Layout& l = c.layout;
  CKPT_TRY(const container::Tensor* words, need(p, Member::weight), "weight");
  l.element = words->dtype == Dtype::f8_e5m2 ? Element::e5m2 : Element::e4m3;
  l.bits = 8;
  l.n = p.module.shape[0];
  l.k = p.module.shape[1];
  l.words_row_is_out = true;
  l.rows_are_bytes = true;
  l.has_zeros = false;
  CKPT_TRY(const container::Tensor* scales, need(p, c.scales), "scales");
  if (scales->dtype == Dtype::u8 || scales->dtype == Dtype::f8_e8m0) {
    l.scale_dtype = Dtype::f8_e8m0;
  } else {
    CKPT_TRY(l.scale_dtype, float_scale(p, *scales), "scales");
  }
  CKPT_TRY_VOID(set_scale_grid(p, c.scales, l), "scales");
  return c;
}

}  // namespace ckpt::quant
