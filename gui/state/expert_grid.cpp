#include "gui/state/expert_grid.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

namespace ckpt::gui {
namespace {

constexpr double kNothing = std::numeric_limits<double>::quiet_NaN();

double value_of(const Session& s, int layer, int expert, ExpertValue value) {
  if (value == ExpertValue::bits) {
    const std::int32_t m = s.expert_module(layer, expert);
    const float bits = m < 0 ? 0 : s.bits_of_module(m);
    return bits > 0 ? double{bits} : kNothing;
  }
  const results::ExpertMetrics* e = s.expert(layer, expert);
  if (e == nullptr) return kNothing;
  if (value == ExpertValue::error) return e->error.value_or(kNothing);
  return value == ExpertValue::tokens ? static_cast<double>(e->tokens) : e->saliency;
}

/// Of all layers and experts, by layer.
std::vector<double> all_values(const Session& s, ExpertValue value) {
  std::vector<double> out;
  out.reserve(static_cast<std::size_t>(s.layers()) * static_cast<std::size_t>(s.experts()));
  for (int l = 0; l < s.layers(); ++l) {
    for (int e = 0; e < s.experts(); ++e) out.push_back(value_of(s, l, e, value));
  }
  return out;
}

/// What an axis is ordered by; the value on show unless another was asked for.
ExpertValue order_value(const App& app, ExpertValue shown) {
  return app.grid_order.value.value_or(shown);
}

/// 0 ... n - 1, the largest of `key` first; what is no number comes last, equals by number.
std::vector<int> ordered(const std::vector<double>& key) {
  std::vector<int> out(key.size());
  std::iota(out.begin(), out.end(), 0);
  std::ranges::stable_sort(out, [&](int a, int b) {
    const double x = key[static_cast<std::size_t>(a)];
    const double y = key[static_cast<std::size_t>(b)];
    return std::isfinite(x) && (!std::isfinite(y) || x > y);
  });
  return out;
}

/// The numbers of an axis of `n`, `across` of the other one; `at(i, k)` is a value there.
template <class At>
std::vector<int> axis(const AxisOrder& order, int n, int across, At at) {
  std::vector<double> key(static_cast<std::size_t>(n), kNothing);
  for (int i = 0; i < n && order.by != OrderBy::number; ++i) {
    double sum = 0;
    int finite = 0;
    const bool mean = order.by == OrderBy::mean;
    for (int k = mean ? 0 : order.line; k < (mean ? across : std::min(order.line + 1, across));
         ++k) {
      const double v = at(i, k);
      if (!std::isfinite(v)) continue;
      sum += v;
      ++finite;
    }
    if (finite > 0) key[static_cast<std::size_t>(i)] = sum / finite;
  }
  return ordered(key);
}

std::string order_text(const App& app, const AxisOrder& order, std::string_view line,
                       std::string_view all) {
  if (order.by == OrderBy::number) return "by number";
  const std::string_view value = expert_value_name(order_value(app, app.expert_value));
  return order.by == OrderBy::mean ? fmt::format("by {}, mean of {}", value, all)
                                   : fmt::format("by {} of {} {}", value, line, order.line);
}

AxisOrder after(const AxisOrder& now, int selected) {
  if (now.by == OrderBy::number && selected >= 0) return {OrderBy::line, selected};
  if (now.by != OrderBy::mean) return {OrderBy::mean, -1};
  return {};
}

/// The order by one line, or by number when it was that already.
AxisOrder toggled(const AxisOrder& now, int line) {
  const AxisOrder next{OrderBy::line, line};
  return now == next ? AxisOrder{} : next;
}

}  // namespace

double Grid::high() const {
  double high = 0;
  for (const double v : values) {
    if (std::isfinite(v)) high = std::max(high, v);
  }
  return high;
}

Grid expert_grid(const App& app, ExpertValue value) {
  Grid g;
  g.title = fmt::format("{} by layer and expert", expert_value_name(value));
  const Session* s = app.session();
  if (s == nullptr || s->experts() == 0) return g;
  g.rows = s->layers();
  g.columns = s->experts();
  const ExpertValue by = order_value(app, value);
  const std::vector<double> shown = all_values(*s, value);
  const std::vector<double> other = by == value ? std::vector<double>() : all_values(*s, by);
  const std::vector<double>& key = by == value ? shown : other;
  const auto place = [&g](int layer, int expert) {
    return static_cast<std::size_t>(layer) * static_cast<std::size_t>(g.columns) +
           static_cast<std::size_t>(expert);
  };
  g.experts = axis(app.grid_order.experts, g.columns, g.rows,
                   [&](int expert, int layer) { return key[place(layer, expert)]; });
  g.layers = axis(app.grid_order.layers, g.rows, g.columns,
                  [&](int layer, int expert) { return key[place(layer, expert)]; });
  g.values.reserve(shown.size());
  for (const int l : g.layers) {
    for (const int e : g.experts) g.values.push_back(shown[place(l, e)]);
  }
  return g;
}

std::string experts_order_text(const App& app) {
  return order_text(app, app.grid_order.experts, "layer", "all layers");
}

std::string layers_order_text(const App& app) {
  return order_text(app, app.grid_order.layers, "expert", "all experts");
}

void next_expert_order(App& app) {
  app.grid_order.experts = after(app.grid_order.experts, app.selection().layer);
}

void next_layer_order(App& app) {
  app.grid_order.layers = after(app.grid_order.layers, app.selection().expert);
}

void next_order_value(App& app) {
  std::optional<ExpertValue>& value = app.grid_order.value;
  const std::size_t next = value ? static_cast<std::size_t>(*value) + 1 : 0;
  value = next < kExpertValues ? std::optional(static_cast<ExpertValue>(next)) : std::nullopt;
}

void order_experts_by(App& app, int layer) {
  app.grid_order.experts = toggled(app.grid_order.experts, layer);
}

void order_layers_by(App& app, int expert) {
  app.grid_order.layers = toggled(app.grid_order.layers, expert);
}

std::vector<ExpertPlace> expert_order(const App& app) {
  std::vector<ExpertPlace> out;
  const Session* s = app.session();
  if (s == nullptr) return out;
  for (int l = 0; l < s->layers(); ++l) {
    for (int e = 0; e < s->experts(); ++e) {
      const double v = value_of(*s, l, e, app.expert_value);
      if (std::isfinite(v)) out.push_back({l, e, v});
    }
  }
  if (app.sort_experts) std::ranges::stable_sort(out, std::ranges::greater{}, &ExpertPlace::value);
  return out;
}

}  // namespace ckpt::gui
