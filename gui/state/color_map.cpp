#include "gui/state/color_map.h"

#include <algorithm>
#include <cmath>
#include <span>

#include "validator/base/viridis.h"

namespace ckpt::gui {
namespace {

using Stop = std::array<std::uint8_t, 3>;
constexpr std::array<Stop, 5> kDiverging{
    {{33, 102, 172}, {146, 197, 222}, {247, 247, 247}, {244, 165, 130}, {178, 24, 43}}};
constexpr std::array<Stop, 2> kGray{{{0, 0, 0}, {255, 255, 255}}};

/// Decades that a logarithmic scale shows below the upper end.
constexpr float kDecades = 4;

Rgba mix(std::span<const Stop> stops, float position) {
  const float at = std::clamp(position, 0.F, 1.F) * static_cast<float>(stops.size() - 1);
  const auto i = std::min(static_cast<std::size_t>(at), stops.size() - 2);
  const float t = at - static_cast<float>(i);
  const auto part = [&](std::size_t c) {
    return static_cast<std::uint8_t>(std::lround(static_cast<float>(stops[i][c]) * (1 - t) +
                                                 static_cast<float>(stops[i + 1][c]) * t));
  };
  return {part(0), part(1), part(2), 255};
}

/// |x| of [0, high] onto [0, 1], logarithmic below.
float log_part(float magnitude, float high) {
  if (!(magnitude > 0)) return 0;
  return std::clamp(1 + std::log10(magnitude / high) / kDecades, 0.F, 1.F);
}

/// Linear below a hundredth of the upper end, logarithmic above it.
float symlog_part(float magnitude, float high) {
  constexpr float kLinear = 100;
  return std::log1p(kLinear * std::min(magnitude / high, 1.F)) / std::log1p(kLinear);
}

}  // namespace

float position_of(float value, const Coloring& c) {
  if (!(c.high > 0) && c.is_signed) return 0.5F;
  if (c.is_signed) {
    float part = std::min(std::abs(value) / c.high, 1.F);
    if (c.scale == Scale::log) part = log_part(std::abs(value), c.high);
    if (c.scale == Scale::symlog) part = symlog_part(std::abs(value), c.high);
    return value < 0 ? 0.5F - part / 2 : 0.5F + part / 2;
  }
  const float span = c.high - c.low;
  if (!(span > 0)) return 0;
  const float above = std::clamp(value - c.low, 0.F, span);
  if (c.scale == Scale::log) return log_part(above, span);
  return c.scale == Scale::symlog ? symlog_part(above, span) : above / span;
}

Rgba color_at(float position, const Coloring& c) {
  ColorMap map = c.map;
  if (map == ColorMap::automatic) map = c.is_signed ? ColorMap::diverging : ColorMap::viridis;
  if (map == ColorMap::diverging) return mix(kDiverging, position);
  return map == ColorMap::viridis ? mix(kViridis, position) : mix(kGray, position);
}

Rgba color_of(float value, const Coloring& c) {
  if (std::isnan(value)) return kNanColor;
  if (std::isinf(value)) return value > 0 ? kPlusInfColor : kMinusInfColor;
  return color_at(position_of(value, c), c);
}

}  // namespace ckpt::gui
