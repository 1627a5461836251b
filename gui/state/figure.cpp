#include "gui/state/figure.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>

namespace ckpt::gui {
namespace {

constexpr std::size_t kBars = 128;

Series bars_of(const Census& census, float from, float to, std::string name) {
  Series s{std::move(name), Mark::bars, {}, census.histogram(from, to, kBars)};
  s.width = (double{to} - double{from}) / static_cast<double>(kBars);
  for (std::size_t i = 0; i < kBars; ++i) {
    s.x.push_back(double{from} + (static_cast<double>(i) + 0.5) * s.width);
  }
  return s;
}

/// Mean bits of the weights of each layer, by module.
Series bits_of_layers(const Session& s) {
  Series out{"bits per weight", Mark::points};
  const pipeline::OpenedRepo* o = s.candidate();
  if (o == nullptr || !o->blueprint) return out;
  std::map<int, std::pair<double, double>> sums;
  const auto& modules = o->blueprint->modules();
  for (std::size_t m = 0; m < modules.size(); ++m) {
    if (modules[m].layer < 0 || modules[m].cls == arch::ModuleClass::vision) continue;
    const double bits = s.bits_of_module(static_cast<std::int32_t>(m));
    if (bits <= 0) continue;
    double weights = 1;
    for (const std::uint64_t d : modules[m].shape) weights *= static_cast<double>(d);
    sums[modules[m].layer].first += bits * weights;
    sums[modules[m].layer].second += weights;
  }
  for (const auto& [layer, sum] : sums) {
    out.x.push_back(layer);
    out.y.push_back(sum.first / sum.second);
  }
  return out;
}

}  // namespace

bool Figure::empty() const {
  return std::ranges::all_of(series, [](const Series& s) { return s.y.empty(); });
}

Figure histogram_figure(App& app, bool compare) {
  Figure f;
  const Pane& pane = app.pane(compare ? Source::decoded : app.shown_source());
  f.title = fmt::format("values, {}", source_name(pane.id.source));
  f.x_label = "value";
  f.y_label = "count";
  f.log_y = app.look.scale != Scale::linear;
  if (!pane.error.empty() || pane.census == nullptr) {
    f.note = pane.error.empty() ? "reading values" : pane.error;
    return f;
  }
  const Census& c = *pane.census;
  if (c.finite() == 0) {
    f.note = "no finite value";
    return f;
  }
  float from = c.low;
  float to = c.high;
  if (!(to > from)) {
    from -= 0.5F;
    to += 0.5F;
  }
  f.series.push_back(
      bars_of(c, from, to, compare ? "candidate" : std::string(source_name(pane.id.source))));
  if (compare && app.session()->reference() != nullptr) {
    const Pane& reference = app.pane(Source::reference);
    if (reference.census != nullptr) {
      f.series.push_back(bars_of(*reference.census, from, to, "reference"));
      f.series.back().mark = Mark::line;
    }
  }
  if (c.sampled) f.note = "from a sample of the rows, the rest is being read";
  return f;
}

Figure scatter_figure(App& app) {
  Figure f{"candidate against reference, some rows", "reference", "candidate"};
  if (const Pairs* pairs = app.pairs()) {
    f.series.push_back({"cells", Mark::points, pairs->reference, pairs->candidate});
  } else {
    f.note = app.session()->reference() == nullptr ? "start with --reference TARGET" : "reading";
  }
  return f;
}

Figure group_error_figure(App& app) {
  Figure f{"RMS error by group of columns, some rows", "group", "error", false, true};
  if (const Pairs* pairs = app.pairs()) {
    Series s{"error", Mark::bars, {}, pairs->group_error, 0.8};
    for (std::size_t g = 0; g < s.y.size(); ++g) s.x.push_back(static_cast<double>(g));
    f.series.push_back(std::move(s));
  }
  return f;
}

Figure layers_figure(const App& app) {
  Figure f{"by layer", "layer", "error, KL (nats)", app.look.scale != Scale::linear, true};
  const Session* s = app.session();
  const results::Metrics* m = s == nullptr ? nullptr : s->metrics();
  if (m == nullptr) {
    f.note = "no results of `ckpt-check kl` are open";
  } else {
    Series local{"local error", Mark::line};
    Series propagated{"propagated error", Mark::line};
    for (const auto& l : m->layers) {
      local.x.push_back(l.layer);
      local.y.push_back(l.local_error);
      propagated.x.push_back(l.layer);
      propagated.y.push_back(l.propagated_error);
    }
    f.series = {std::move(local), std::move(propagated)};
    Series cost{"KL with only this layer quantized", Mark::points};
    if (m->attribution) {
      for (const auto& c : m->attribution->costs) {
        if (c.kind != "layer") continue;
        cost.x.push_back(c.layer);
        cost.y.push_back(c.kl);
      }
    }
    if (!cost.x.empty()) f.series.push_back(std::move(cost));
  }
  if (s != nullptr) {
    Series bits = bits_of_layers(*s);
    // On one axis with the errors: a hundredth of the bits, which the name says.
    bits.name = "bits per weight / 100";
    for (double& b : bits.y) b /= 100;
    if (!bits.x.empty()) f.series.push_back(std::move(bits));
  }
  return f;
}

Figure routing_figure(const App& app) {
  Figure f{"router overlap", "layer", "mean |top-k of both| / k", false, true};
  const results::Metrics* m = app.session() == nullptr ? nullptr : app.session()->metrics();
  if (m == nullptr || m->experts.empty()) {
    f.note = m == nullptr ? "no results of `ckpt-check kl` are open"
                          : "no routing here: it takes experts, and the reference's weights";
    return f;
  }
  Series local{"on the reference's inputs", Mark::line};
  Series along{"along the way", Mark::line};
  Series same{"same set", Mark::points};
  Series apart{"gates apart", Mark::points};
  for (const auto& l : m->layers) {
    for (auto* s : {&local, &along, &same}) s->x.push_back(l.layer);
    local.y.push_back(l.router_overlap_local);
    along.y.push_back(l.router_overlap);
    same.y.push_back(l.router_set_agreement);
    if (!l.router_gate_tv) continue;
    apart.x.push_back(l.layer);
    apart.y.push_back(*l.router_gate_tv);
  }
  f.series = {std::move(local), std::move(along), std::move(same)};
  if (!apart.x.empty()) f.series.push_back(std::move(apart));
  return f;
}

Figure routed_figure(const App& app) {
  const int layer = std::max(app.selection().layer, 0);
  Figure f{fmt::format("tokens routed in layer {}", layer), "expert", "tokens", false, true};
  const Session* s = app.session();
  if (s == nullptr || s->metrics() == nullptr) return f;
  for (const auto& l : s->metrics()->layers) {
    if (l.layer != layer || s->metrics()->experts.empty()) continue;
    f.title += fmt::format(": overlap {:.4f}, same set {:.1f} %", l.router_overlap,
                           100 * l.router_set_agreement);
    if (l.router_gate_tv) f.title += fmt::format(", gates {:.3g} apart", *l.router_gate_tv);
  }
  Series reference{"reference", Mark::bars};
  reference.width = 0.8;
  Series candidate{"candidate", Mark::points};
  for (int e = 0; e < s->experts(); ++e) {
    const results::ExpertMetrics* m = s->expert(layer, e);
    if (m == nullptr) continue;
    reference.x.push_back(e);
    reference.y.push_back(static_cast<double>(m->tokens));
    if (!m->tokens_candidate) continue;
    candidate.x.push_back(e);
    candidate.y.push_back(static_cast<double>(*m->tokens_candidate));
  }
  f.series.push_back(std::move(reference));
  if (!candidate.x.empty()) f.series.push_back(std::move(candidate));
  return f;
}

Figure text_figure(const App& app) {
  Figure f{"KL over the text", "position", "nats", app.look.scale != Scale::linear, true};
  const results::Metrics* m = app.session() == nullptr ? nullptr : app.session()->metrics();
  if (m == nullptr || !m->over_text) {
    f.note = "no results of `ckpt-check kl` are open";
    return f;
  }
  const results::OverText& t = *m->over_text;
  Series worst{"largest", Mark::line, {}, t.worst};
  Series mean{"mean", Mark::line, {}, t.mean};
  for (std::size_t i = 0; i < t.mean.size(); ++i) {
    const auto x = static_cast<double>(i * t.stride);
    mean.x.push_back(x);
    if (i < worst.y.size()) worst.x.push_back(x);
  }
  f.series = {std::move(worst), std::move(mean)};
  return f;
}

}  // namespace ckpt::gui
