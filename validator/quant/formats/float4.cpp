// E2M1 weights (formats, 5.3, 6.3, 6.5): two codes a byte [N, K/2], low nibble first. NVFP4 has
// E4M3 scales per 16 inputs under a global scale, MXFP4 powers of two per 32.

#include "validator/quant/formats/common.h"

namespace ckpt::quant {

namespace {

Codec rows_of_nibbles(const PackedModule& p) {
  Codec c{.layout = {},
          .words = Member::weight_packed,
          .scales = Member::weight_scale,
          .zeros = {},
          .factor = {}};
  c.layout.element = Element::e2m1;
  c.layout.bits = 4;
  c.layout.n = p.module.shape[0];
  c.layout.k = p.module.shape[1];
  c.layout.words_row_is_out = true;
  c.layout.rows_are_bytes = true;
  c.layout.has_zeros = false;
  return c;
}

}  // namespace

Result<Codec> nvfp4_codec(const PackedModule& p) {
  Codec c = rows_of_nibbles(p);
  // ModelOpt stores the factor itself, compressed-tensors its inverse.
  const bool modelopt = p.tensor(Member::weight_scale_2) != nullptr;
  c.words = p.tensor(Member::weight_packed) != nullptr ? Member::weight_packed : Member::weight;
  c.factor = modelopt ? Member::weight_scale_2 : Member::weight_global_scale;
  c.layout.factor_divides = !modelopt;
  CKPT_TRY(const container::Tensor* factor, need(p, *c.factor), "global scale");
  if (factor->dtype != Dtype::f32) {
    return fail(ErrorKind::unsupported, fmt::format("{}: a global scale of dtype {}", p.module.name,
                                                    dtype_name(factor->dtype)));
  }
  CKPT_TRY(const container::Tensor* scales, need(p, c.scales), "scales");
  c.layout.scale_dtype = scales->dtype;
  if (scales->dtype != Dtype::f8_e4m3) {
    CKPT_TRY(c.layout.scale_dtype, float_scale(p, *scales), "scales");
  }
  CKPT_TRY_VOID(set_scale_grid(p, c.scales, c.layout), "scales");
  return c;
}

Result<Codec> mxfp4_codec(const PackedModule& p) {
  Codec c = rows_of_nibbles(p);
  CKPT_TRY(const container::Tensor* scales, need(p, c.scales), "scales");
  if (scales->dtype != Dtype::u8 && scales->dtype != Dtype::f8_e8m0) {
    return fail(ErrorKind::unsupported,
                fmt::format("{}: scales of dtype {}", p.module.name, dtype_name(scales->dtype)));
  }
  c.layout.scale_dtype = Dtype::f8_e8m0;
  CKPT_TRY_VOID(set_scale_grid(p, c.scales, c.layout), "scales");
  return c;
}

}  // namespace ckpt::quant
