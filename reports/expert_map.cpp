// The layer x expert grid of figures.h.

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "reports/escape.h"
#include "reports/figures.h"
#include "reports/png.h"
#include "reports/words.h"
#include "validator/base/viridis.h"

namespace ckpt::reports {
namespace {

using results::ExpertMetrics;
using results::Metrics;

constexpr std::size_t kCells = 4'000'000;
constexpr double kQuantile = 0.999;

/// `share` from 0 to 1.
Color color_at(double share) {
  const double at = std::clamp(share, 0.0, 1.0) * static_cast<double>(kViridis.size() - 1);
  const auto i = std::min(static_cast<std::size_t>(at), kViridis.size() - 2);
  const double part = at - static_cast<double>(i);
  Color c{};
  for (std::size_t k = 0; k < 3; ++k) {
    c[k] = static_cast<std::uint8_t>(
        std::lround(kViridis[i][k] * (1 - part) + kViridis[i + 1][k] * part));
  }
  return c;
}

std::optional<double> value_of(const ExpertMetrics& e, ExpertValue value) {
  switch (value) {
    case ExpertValue::error:
      return e.error;
    case ExpertValue::tokens:
      return static_cast<double>(e.tokens);
    case ExpertValue::saliency:
      return e.tokens == 0 ? std::nullopt : std::optional(e.saliency);
  }
  return std::nullopt;
}

std::vector<int> distinct(const std::vector<ExpertMetrics>& experts, int ExpertMetrics::*member) {
  std::vector<int> out;
  for (const ExpertMetrics& e : experts) out.push_back(e.*member);
  std::ranges::sort(out);
  out.erase(std::unique(out.begin(), out.end()), out.end());
  return out;
}

std::size_t index_in(const std::vector<int>& sorted, int value) {
  return static_cast<std::size_t>(std::ranges::lower_bound(sorted, value) - sorted.begin());
}

double quantile_top(const ExpertGrid& grid) {
  std::vector<double> values;
  for (const auto& v : grid.values) {
    if (v && std::isfinite(*v)) values.push_back(*v);
  }
  if (values.empty()) return 0;
  const auto at = static_cast<std::ptrdiff_t>(kQuantile * static_cast<double>(values.size() - 1));
  std::ranges::nth_element(values, values.begin() + at);
  return values[static_cast<std::size_t>(at)];
}

/// NaN and infinities are shown as the largest value: they are worse than any number.
double share_of(const ExpertGrid& grid, double value) {
  if (!std::isfinite(value)) return 1;
  return grid.top > 0 ? value / grid.top : 0;
}

std::string hex(Color c) {
  return fmt::format("#{:02x}{:02x}{:02x}", c[0], c[1], c[2]);
}

constexpr double kLeft = 46;
constexpr double kTop = 22;

std::string legend(const ExpertGrid& grid, ExpertValue value, double y) {
  std::string out;
  constexpr int kSteps = 40;
  for (int i = 0; i < kSteps; ++i) {
    out += fmt::format("<rect x=\"{}\" y=\"{}\" width=\"4.5\" height=\"10\" fill=\"{}\"/>",
                       kLeft + 4 * i, y, hex(color_at(static_cast<double>(i) / (kSteps - 1))));
  }
  return out + fmt::format("<text x=\"{}\" y=\"{}\">0 to {}</text>", kLeft + 4 * kSteps + 8, y + 9,
                           xml(expert_value_text(value, grid.top)));
}

}  // namespace

std::optional<ExpertGrid> expert_grid(const Metrics& m, ExpertValue value) {
  ExpertGrid g;
  g.layers = distinct(m.experts, &ExpertMetrics::layer);
  g.experts = distinct(m.experts, &ExpertMetrics::expert);
  const std::size_t cells = g.layers.size() * g.experts.size();
  if (cells == 0 || cells > kCells) return std::nullopt;
  g.values.resize(cells);
  bool any = false;
  for (const ExpertMetrics& e : m.experts) {
    const std::size_t row = index_in(g.layers, e.layer);
    g.values[row * g.experts.size() + index_in(g.experts, e.expert)] = value_of(e, value);
    any = any || value_of(e, value).has_value();
  }
  if (!any) return std::nullopt;
  g.top = quantile_top(g);
  return g;
}

std::string_view expert_value_name(ExpertValue value) {
  constexpr std::string_view kNames[] = {"local error", "tokens routed", "saliency"};
  return kNames[static_cast<std::size_t>(value)];
}

std::string expert_value_text(ExpertValue value, std::optional<double> v) {
  if (!v) return "never routed to";
  if (value == ExpertValue::error) return percent(v);
  return value == ExpertValue::tokens ? fmt::format("{:.0f}", *v) : number(*v);
}

std::string grid_image(const ExpertGrid& grid) {
  std::vector<Color> palette(256);
  for (std::size_t i = 1; i < 256; ++i) palette[i] = color_at(static_cast<double>(i - 1) / 254);
  std::vector<std::uint8_t> pixels;
  pixels.reserve(grid.values.size());
  for (const auto& v : grid.values) {
    const double share = v ? std::clamp(share_of(grid, *v), 0.0, 1.0) : 0;
    pixels.push_back(v ? static_cast<std::uint8_t>(1 + std::lround(share * 254)) : 0);
  }
  return "data:image/png;base64," +
         base64(png(static_cast<std::uint32_t>(grid.experts.size()),
                    static_cast<std::uint32_t>(grid.layers.size()), pixels, palette));
}

std::string experts_figure(const ExpertGrid& grid, ExpertValue value, SvgUse use) {
  const auto columns = static_cast<double>(grid.experts.size());
  const auto rows = static_cast<double>(grid.layers.size());
  const double width = std::max(700 / columns, 0.2);  // as wide as the other figures
  const double height = std::clamp(420 / rows, 4.0, 18.0);
  std::string body =
      fmt::format("<text x=\"4\" y=\"14\">{} by layer (down) and expert (across)</text>",
                  expert_value_name(value));
  const std::size_t step = std::max<std::size_t>(1, grid.layers.size() / 12);
  for (std::size_t y = 0; y < grid.layers.size(); y += step) {
    body += fmt::format("<text x=\"{}\" y=\"{:.1f}\" text-anchor=\"end\">L{}</text>", kLeft - 4,
                        kTop + (static_cast<double>(y) + 0.5) * height + 4, grid.layers[y]);
  }
  if (grid.values.size() > kGridMarks) {
    body += fmt::format(
        "<image x=\"{}\" y=\"{}\" width=\"{:.1f}\" height=\"{:.1f}\" preserveAspectRatio=\"none\" "
        "image-rendering=\"pixelated\" href=\"{}\"/>",
        kLeft, kTop, columns * width, rows * height, grid_image(grid));
  } else {
    for (std::size_t i = 0; i < grid.values.size(); ++i) {
      const std::size_t row = i / grid.experts.size();
      const std::size_t column = i % grid.experts.size();
      const auto& v = grid.values[i];
      body += fmt::format(
          "<rect x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.1f}\" height=\"{:.1f}\" {}><title>layer {}, "
          "expert {}: {}</title></rect>",
          kLeft + static_cast<double>(column) * width, kTop + static_cast<double>(row) * height,
          std::max(width - 1, 0.2), height - 1,
          v ? fmt::format("fill=\"{}\"", hex(color_at(share_of(grid, *v)))) : "class=\"none\"",
          grid.layers[row], grid.experts[column], expert_value_text(value, v));
    }
  }
  const double bottom = kTop + rows * height;
  body += legend(grid, value, bottom + 10);
  return svg_element(kLeft + std::max(columns * width, 420.0) + 14, bottom + 30,
                     fmt::format("Experts: {}", expert_value_name(value)), body, use);
}

}  // namespace ckpt::reports
