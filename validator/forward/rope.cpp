#include "validator/forward/rope.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numbers>

#include "validator/base/bits.h"
#include "validator/base/text.h"

namespace ckpt::forward {

namespace {

double mscale(double factor, double scale) {
  return factor <= 1 ? 1 : 0.1 * scale * std::log(factor) + 1;
}

double yarn_factor(const config::RopeConfig& rope) {
  if (rope.attention_factor) return *rope.attention_factor;
  if (rope.mscale && rope.mscale_all_dim && *rope.mscale != 0 && *rope.mscale_all_dim != 0) {
    return mscale(rope.factor, *rope.mscale) / mscale(rope.factor, *rope.mscale_all_dim);
  }
  return mscale(rope.factor, 1);
}

void apply_yarn(const config::RopeConfig& rope, double dims, std::vector<double>& inverse) {
  const auto correction = [&](double rotations) {
    return dims * std::log(rope.original_max_position / (rotations * 2 * std::numbers::pi)) /
           (2 * std::log(rope.theta));
  };
  double low = correction(rope.beta_fast);
  double high = correction(rope.beta_slow);
  if (rope.truncate) {
    low = std::floor(low);
    high = std::ceil(high);
  }
  low = std::max(low, 0.0);
  high = std::min(high, dims - 1);
  if (low == high) high += 0.001;
  for (std::size_t j = 0; j < inverse.size(); ++j) {
    const double ramp = std::clamp((static_cast<double>(j) - low) / (high - low), 0.0, 1.0);
    inverse[j] = inverse[j] * (1 - ramp) + inverse[j] / rope.factor * ramp;
  }
}

float rounded(float x, kernels::Rounding rounding) {
  if (rounding == kernels::Rounding::bf16) return bf16_to_f32(f32_to_bf16(x));
  return rounding == kernels::Rounding::f16 ? f16_to_f32(f32_to_f16(x)) : x;
}

}  // namespace

Result<RopeScaling> rope_scaling(const config::TextConfig& config) {
  const config::RopeConfig& rope = config.rope;
  if (rope.type != "default" && rope.type != "yarn") {
    return fail(ErrorKind::unsupported, fmt::format("rope type {}", shown(rope.type)));
  }
  const auto dims =
      static_cast<std::int64_t>(static_cast<double>(config.head_dim) * rope.partial_rotary_factor);
  std::vector<double> inverse;
  for (std::int64_t j = 0; j < dims / 2; ++j) {
    // The exponent is an f32 in the reference implementation.
    const float exponent = static_cast<float>(2 * j) / static_cast<float>(dims);
    inverse.push_back(1.0 / std::pow(rope.theta, double{exponent}));
  }
  RopeScaling out;
  if (rope.type == "yarn") {
    apply_yarn(rope, static_cast<double>(dims), inverse);
    out.attention_factor = static_cast<float>(yarn_factor(rope));
  }
  for (const double value : inverse) out.inverse_frequency.push_back(static_cast<float>(value));
  return out;
}

Result<RopeTable> make_rope_table(kernels::Ops& ops, const config::TextConfig& config,
                                  std::int64_t positions, kernels::Rounding rounding) {
  CKPT_TRY(const RopeScaling scaling, rope_scaling(config), "rope");
  const auto half = static_cast<std::int64_t>(scaling.inverse_frequency.size());
  std::vector<float> cos;
  std::vector<float> sin;
  for (std::int64_t t = 0; t < positions; ++t) {
    for (const float inverse : scaling.inverse_frequency) {
      const double angle = static_cast<float>(t) * inverse;  // an f32 product, as in the reference
      const float factor = scaling.attention_factor;
      cos.push_back(rounded(static_cast<float>(std::cos(angle)) * factor, rounding));
      sin.push_back(rounded(static_cast<float>(std::sin(angle)) * factor, rounding));
    }
  }
  RopeTable table;
  CKPT_TRY(table.memory, ops.allocate(2 * positions * half), "rope");
  table.cos = {table.memory.data(), positions, half, half};
  table.sin = {table.memory.data() + positions * half, positions, half, half};
  CKPT_TRY_VOID(ops.write(table.cos, cos), "rope");
  CKPT_TRY_VOID(ops.write(table.sin, sin), "rope");
  return table;
}

}  // namespace ckpt::forward
