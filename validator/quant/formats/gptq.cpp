// GPTQ's layout, which AutoRound shares (formats, section 3): words [K*b/32, N] down a column.

#include "validator/quant/formats/common.h"

namespace ckpt::quant {

Result<Codec> gptq_codec(const PackedModule& p) {
  Codec c{.layout = {},
          .words = Member::qweight,
          .scales = Member::scales,
          .zeros = Member::qzeros,
          .factor = {}};
  Layout& l = c.layout;
  l.bits = static_cast<unsigned>(p.stored.bits);
  l.n = p.module.shape[0];
  l.k = p.module.shape[1];
  l.zero_offset = p.quant != nullptr && stores_zero_plainly(*p.quant) ? 0 : 1;
  CKPT_TRY(const container::Tensor* scales, need(p, Member::scales), "scales");
  CKPT_TRY_VOID(need(p, Member::qzeros), "zeros");
  CKPT_TRY(l.scale_dtype, float_scale(p, *scales), "scales");
  const ShapeView shape = p.shape(Member::scales);
  l.groups = shape.size() == 2 ? shape[0] : 1;
  CKPT_TRY(l.group_size, p.group_size(l.groups), "groups");
  return c;
}

}  // namespace ckpt::quant
