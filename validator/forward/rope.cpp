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

namespace {

/// The axis of column j: height on columns 1, 4, ... and width on 2, 5, ..., as far as their
/// sections go.
std::int64_t Place3::*axis_of(const config::RopeConfig& rope, std::int64_t column) {
  const auto section = [&rope](std::size_t i) {
    return i < rope.mrope_section.size() ? rope.mrope_section[i] : 0;
  };
  if (column % 3 == 1 && column / 3 < section(1)) return &Place3::height;
  if (column % 3 == 2 && column / 3 < section(2)) return &Place3::width;
  return &Place3::time;
}

}  // namespace

Result<RopeTable> upload_rope(kernels::Ops& ops, std::span<const float> cos,
                              std::span<const float> sin, std::int64_t half) {
  const std::int64_t rows = half == 0 ? 0 : static_cast<std::int64_t>(cos.size()) / half;
  RopeTable table;
  CKPT_TRY(table.memory, ops.allocate(2 * rows * half), "angles");
  table.rows.cos = {table.memory.data(), rows, half, half};
  table.rows.sin = {table.memory.data() + rows * half, rows, half, half};
  CKPT_TRY_VOID(ops.write(table.rows.cos, cos), "angles");
  CKPT_TRY_VOID(ops.write(table.rows.sin, sin), "angles");
  return table;
}

Result<RopeTable> make_rope_table(kernels::Ops& ops, const config::TextConfig& config,
                                  std::span<const Place3> places, kernels::Rounding rounding) {
  CKPT_TRY(const RopeScaling scaling, rope_scaling(config), "rope");
  const auto half = static_cast<std::int64_t>(scaling.inverse_frequency.size());
  std::vector<float> cos;
  std::vector<float> sin;
  for (const Place3& place : places) {
    for (std::int64_t j = 0; j < half; ++j) {
      const float inverse = scaling.inverse_frequency[static_cast<std::size_t>(j)];
      // An f32 product, as in the reference.
      const double angle = static_cast<float>(place.*axis_of(config.rope, j)) * inverse;
      const float factor = scaling.attention_factor;
      cos.push_back(rounded(static_cast<float>(std::cos(angle)) * factor, rounding));
      sin.push_back(rounded(static_cast<float>(std::sin(angle)) * factor, rounding));
    }
  }
  return upload_rope(ops, cos, sin, half);
}

Result<RopeTable> make_rope_table(kernels::Ops& ops, const config::TextConfig& config,
                                  std::int64_t positions, kernels::Rounding rounding) {
  std::vector<Place3> places;
  for (std::int64_t t = 0; t < positions; ++t) places.push_back({t, t, t});
  return make_rope_table(ops, config, places, rounding);
}

}  // namespace ckpt::forward
