#include "validator/pipeline/counterpart.h"

#include "validator/base/bits.h"

namespace ckpt::pipeline {

float offset_norm_round_trip(float w) {
  return rounded_to(rounded_to(1.0F + w, Dtype::bf16) - 1.0F, Dtype::bf16);
}

float rounded_to(float value, Dtype dtype) {
  if (dtype == Dtype::bf16) return bf16_to_f32(f32_to_bf16(value));
  if (dtype == Dtype::f16) return f16_to_f32(f32_to_f16(value));
  return value;
}

}  // namespace ckpt::pipeline
