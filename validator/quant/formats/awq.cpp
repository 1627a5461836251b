// AWQ's GEMM layout (formats, section 4): words [K, N/8] along a row, nibbles interleaved.

#include "validator/quant/formats/common.h"

namespace ckpt::quant {

Result<Codec> awq_codec(const PackedModule& p) {
  CKPT_TRY(Codec c, gptq_codec(p), "awq");
  c.layout.awq_order = true;
  c.layout.pack_axis = PackAxis::out;
  c.layout.zero_offset = 0;
  return c;
}

}  // namespace ckpt::quant
