#include "reports/figures.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "reports/words.h"
#include "validator/base/text.h"

namespace ckpt::reports {
namespace {

using results::LayerMetrics;
using results::Metrics;

std::string percent_tick(double v) {
  return fmt::format("{:.3g} %", 100 * v);
}

std::string whole_tick(double v) {
  return fmt::format("{:.0f}", v);
}

Axis layer_axis(const Metrics& m) {
  Axis x{0, 1, false, "layer", whole_tick};
  for (std::size_t i = 0; i < m.layers.size(); ++i) {
    const double l = m.layers[i].layer;
    x.low = i == 0 ? l : std::min(x.low, l);
    x.high = i == 0 ? l : std::max(x.high, l);
  }
  x.low -= 0.5;
  x.high += 0.5;
  return x;
}

/// Largest finite value, a little above it; `least` when there is none.
double above(const std::vector<double>& values, double least) {
  double top = 0;
  for (const double v : values) {
    if (std::isfinite(v)) top = std::max(top, v);
  }
  return top > 0 ? top * 1.05 : least;
}

std::vector<Plot::Point> layer_points(const Metrics& m, double LayerMetrics::*member,
                                      std::string_view what) {
  std::vector<Plot::Point> out;
  for (const LayerMetrics& l : m.layers) {
    out.push_back({static_cast<double>(l.layer), l.*member,
                   fmt::format("layer {}: {} {}", l.layer, what, percent(l.*member))});
  }
  return out;
}

void shade_full_attention(Plot& plot, const Metrics& m) {
  for (const LayerMetrics& l : m.layers) {
    if (l.kind == "full_attention") plot.band(l.layer - 0.5, l.layer + 0.5);
  }
}

}  // namespace

std::string layers_figure(const Metrics& m, SvgUse use) {
  std::vector<double> all;
  for (const LayerMetrics& l : m.layers) {
    all.push_back(l.local_error);
    all.push_back(l.propagated_error);
  }
  Plot plot("Relative error by layer", layer_axis(m),
            {0, above(all, 1), false, "relative error (full attention shaded)", percent_tick});
  shade_full_attention(plot, m);
  plot.line("local", 1, layer_points(m, &LayerMetrics::local_error, "local"));
  plot.line("propagated", 2, layer_points(m, &LayerMetrics::propagated_error, "propagated"));
  return plot.svg(use);
}

std::string cost_figure(const Metrics& m, SvgUse use) {
  if (!m.attribution) return {};
  std::vector<double> all;
  std::vector<Plot::Point> points;
  for (const results::Cost& c : m.attribution->costs) {
    if (c.kind != "layer") continue;
    all.push_back(c.kl);
    points.push_back(
        {static_cast<double>(c.layer), c.kl,
         fmt::format("layer {}: {} nats, standard error {}", c.layer, number(c.kl), number(c.se))});
  }
  if (points.empty()) return {};
  Plot plot("KL with one layer quantized", layer_axis(m),
            {0, above(all, 1), false, "KL with only this layer quantized, nats", {}});
  shade_full_attention(plot, m);
  plot.line("cost", 3, points);
  return plot.svg(use);
}

std::string routing_figure(const Metrics& m, SvgUse use) {
  double low = 1;
  for (const LayerMetrics& l : m.layers) {
    for (const double v : {l.router_overlap, l.router_overlap_local}) {
      if (std::isfinite(v)) low = std::min(low, v);
    }
  }
  Plot plot("Router overlap by layer", layer_axis(m),
            {std::max(0.0, low - 0.02), 1, false, "experts chosen by both", percent_tick});
  shade_full_attention(plot, m);
  plot.line("local", 1, layer_points(m, &LayerMetrics::router_overlap_local, "local"));
  plot.line("along the way", 2, layer_points(m, &LayerMetrics::router_overlap, "along the way"));
  return plot.svg(use);
}

std::string histogram_figure(const Metrics& m, SvgUse use) {
  if (!m.over_text || m.over_text->bin_counts.empty() ||
      m.over_text->bin_edges.size() != m.over_text->bin_counts.size() + 1) {
    return {};
  }
  const auto& edges = m.over_text->bin_edges;
  const auto& counts = m.over_text->bin_counts;
  std::size_t first = 0;
  while (first + 1 < counts.size() && counts[first] == 0) ++first;
  std::size_t last = counts.size();
  while (last > first + 1 && counts[last - 1] == 0) --last;
  if (!(edges[first] > 0) || !(edges[last] > edges[first]) || !std::isfinite(edges[last])) {
    return {};
  }
  const double top = static_cast<double>(*std::ranges::max_element(counts));
  Plot plot("Positions by KL", {edges[first], edges[last], true, "KL at a position, nats", {}},
            {0, std::max(1.0, top * 1.05), false, "positions", whole_tick});
  for (std::size_t i = first; i < std::min(last, first + kGridMarks); ++i) {
    plot.bar(edges[i], edges[i + 1], static_cast<double>(counts[i]), 1,
             fmt::format("{} positions from {} to {} nats", with_commas(counts[i]),
                         number(edges[i]), number(edges[i + 1])));
  }
  plot.marker(m.kl.median, "median");
  plot.marker(m.kl.mean, "mean", 1);
  return plot.svg(use);
}

std::string tokens_figure(const Metrics& m, SvgUse use) {
  if (!m.over_text || m.over_text->mean.empty()) return {};
  const results::OverText& o = *m.over_text;
  constexpr double kFloor = 1e-7;
  double low = 1;
  double top = kFloor * 10;
  for (const double v : o.mean) low = v > 0 ? std::min(low, v) : low;
  low = std::max(kFloor, std::pow(10.0, std::floor(std::log10(low))));
  for (const double v : o.worst) top = std::isfinite(v) ? std::max(top, v) : top;
  for (const double v : o.mean) top = std::isfinite(v) ? std::max(top, v) : top;
  const auto stride = static_cast<double>(o.stride);
  Plot plot("KL over the text",
            {0, std::max(1.0, stride * static_cast<double>(o.mean.size())), false, "position",
             [](double v) {
               return v < 0 || v > 1e18 ? "?" : with_commas(static_cast<std::uint64_t>(v));
             }},
            {low, std::max(top, low * 10) * 1.2, true, "KL, nats (logarithmic)", {}});
  std::vector<Plot::Point> mean, worst;
  const auto points_of = [&](const std::vector<double>& values, std::string_view what) {
    std::vector<Plot::Point> out;
    for (std::size_t i = 0; i < values.size(); ++i) {
      const double x = (static_cast<double>(i) + 0.5) * stride;
      out.push_back({x, values[i] < low ? low : values[i],
                     fmt::format("position {:.0f}: {} {}", x, what, number(values[i]))});
    }
    return out;
  };
  if (o.stride > 1) plot.dots("largest of each run", 2, points_of(o.worst, "largest"));
  plot.line(o.stride > 1 ? fmt::format("mean of {} positions", o.stride) : "KL", 1,
            points_of(o.mean, "mean"));
  return plot.svg(use);
}

}  // namespace ckpt::reports
