#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "reports/screen.h"
#include "reports/words.h"
#include "validator/base/text.h"

namespace ckpt::reports {
namespace {

using results::Metrics;
using results::Results;

constexpr std::size_t kKlLabel = 25;

/// One line of the block; what does not fit goes on below its value.
std::string row(std::string_view label, const std::string& value, const TextOptions& o) {
  return fmt::format("  {:<{}}{}\n", label, kKlLabel,
                     wrap(value, kKlLabel + 2, kKlLabel + 2, o.width));
}

/// Sort key of an error: what is not a number is worse than any number.
double rank(double error) {
  return std::isnan(error) ? HUGE_VAL : error;
}

std::string costliest_experts(const Metrics& m) {
  std::vector<const results::ExpertMetrics*> experts;
  for (const results::ExpertMetrics& e : m.experts) {
    if (e.error) experts.push_back(&e);
  }
  const std::size_t n = std::min<std::size_t>(3, experts.size());
  std::ranges::partial_sort(
      experts, experts.begin() + static_cast<std::ptrdiff_t>(n),
      [](const auto* a, const auto* b) { return rank(*a->error) > rank(*b->error); });
  std::string out;
  for (std::size_t i = 0; i < n; ++i) {
    out += fmt::format("{}L{} E{} {:.2f} %", i == 0 ? "" : ", ", experts[i]->layer,
                       experts[i]->expert, 100 * *experts[i]->error);
  }
  return out.empty() ? "not measured, or none was routed to" : out + " (local)";
}

std::string worst_layers(const Metrics& m) {
  std::vector<const results::LayerMetrics*> layers;
  for (const results::LayerMetrics& l : m.layers) layers.push_back(&l);
  // NaN has no order: a run without local errors must not be sorted by them.
  if (std::isnan(layers.front()->local_error)) return "local errors were not measured";
  const std::size_t n = std::min<std::size_t>(3, layers.size());
  std::ranges::partial_sort(
      layers, layers.begin() + static_cast<std::ptrdiff_t>(n),
      [](const auto* a, const auto* b) { return rank(a->local_error) > rank(b->local_error); });
  std::string out;
  for (std::size_t i = 0; i < n; ++i) {
    out += fmt::format("{}{}: {:.2f} %", i == 0 ? "" : ", ", layers[i]->layer,
                       100 * layers[i]->local_error);
  }
  return out + " (local, of the layer's update)";
}

std::string nonfinite(const Metrics& m, const Results& r) {
  if (m.nonfinite_count == 0 && m.experts.empty() && m.headroom.size() <= 1) {
    return fmt::format("none in the logits, mode {}", r.how.mode);
  }
  if (m.nonfinite_count == 0) {
    return fmt::format("none in {}, mode {}", plural(m.layers.size(), "layer"), r.how.mode);
  }
  std::string out = fmt::format("{} values", with_commas(m.nonfinite_count));
  for (const results::NonFinite& n : m.nonfinite) {
    out += fmt::format("; {}: first at {}, sequence {} position {}: {}", n.stream,
                       results::op_text(n), n.sequence, n.position, results::value_text(n));
  }
  return out;
}

std::string unrouted(const Metrics& m) {
  const auto none = std::ranges::count_if(m.experts, [](const auto& e) { return e.tokens == 0; });
  const auto few =
      std::ranges::count_if(m.experts, [](const auto& e) { return e.tokens > 0 && e.tokens < 32; });
  if (none + few == 0) return {};
  return fmt::format("{} of {} never routed to, {} on fewer than 32 tokens: unknown, not fine",
                     none, m.experts.size(), few);
}

std::string headroom(const Metrics& m) {
  const results::Headroom* worst = nullptr;
  for (const results::Headroom& h : m.headroom) {
    if (worst == nullptr || h.max_abs_candidate > worst->max_abs_candidate) worst = &h;
  }
  if (worst == nullptr) return {};
  const std::string where =
      worst->layer < 0 ? worst->point : fmt::format("layer {} {}", worst->layer, worst->point);
  return fmt::format("largest value {} at {}; float16 ends at 65504",
                     number(worst->max_abs_candidate), where);
}

/// What llama.cpp prints, in its order, so that numbers can be compared side by side.
std::string compatibility(const Metrics& m) {
  std::string out = "\n  In the order of llama.cpp's --kl-divergence:\n";
  const auto add = [&out](std::string_view label, const std::string& value) {
    out += fmt::format("    {:<22}{}\n", label, value);
  };
  add("Mean PPL(Q)", number_as("{:.6f}", m.perplexity_candidate));
  add("Mean PPL(base)", number_as("{:.6f}", m.perplexity_reference));
  add("Cor(ln(PPL(Q)), ...)", number_as("{:.2f} %", 100 * m.nll_correlation));
  add("Mean PPL(Q)/PPL(base)",
      number_as("{:.6f}", m.perplexity_candidate / m.perplexity_reference));
  add("Mean KLD", number_as("{:.6f}", m.kl.mean) + " +- " + number_as("{:.6f}", m.kl.se));
  add("Maximum KLD", number_as("{:.6f}", m.kl.max));
  for (const char* p : {"99.9", "99", "95", "90", "50", "10", "5", "1", "0.1"}) {
    const auto it = m.kl.percentiles.find(p);
    if (it != m.kl.percentiles.end())
      add(fmt::format("{} % KLD", p), number_as("{:.6f}", it->second));
  }
  add("Mean dp", number_as("{:.3f} %", 100 * m.delta_p_mean));
  add("RMS dp", number_as("{:.3f} %", 100 * m.delta_p_rms));
  add("Same top p", fmt::format("{:.3f} %", 100 * m.top1));
  return out;
}

/// What costs most, by one kind of unit.
std::string costliest(const results::Attribution& a, std::string_view kind) {
  std::vector<const results::Cost*> costs;
  for (const results::Cost& c : a.costs) {
    if (c.kind == kind && c.kl > 0) costs.push_back(&c);
  }
  std::ranges::stable_sort(costs, [](const auto* x, const auto* y) { return x->kl > y->kl; });
  constexpr std::size_t kShown = 5;
  std::string out;
  for (std::size_t i = 0; i < std::min(kShown, costs.size()); ++i) {
    const results::Cost& c = *costs[i];
    const std::string name = kind == "layer"   ? std::to_string(c.layer)
                             : kind == "class" ? c.module_class
                                               : fmt::format("L{} E{}", c.layer, c.expert);
    out += fmt::format("{}{}: {}", i == 0 ? "" : ", ", name, number(c.kl));
  }
  return out;
}

std::string attribution(const results::Attribution& a, const TextOptions& o) {
  std::string out;
  for (const auto& [kind, label] : {std::pair{"layer", "costliest layers"},
                                    {"class", "cost by class"},
                                    {"expert", "costliest experts"}}) {
    const std::string s = costliest(a, kind);
    if (!s.empty()) out += row(label, s + " (KL with only that one quantized)", o);
  }
  for (const auto& [value, what] :
       {std::pair{a.layer_additivity, "layers"}, {a.class_additivity, "classes"}}) {
    if (!value) continue;
    constexpr double kLow = 0.5, kHigh = 1.5;
    const bool odd = !(*value >= kLow && *value <= kHigh);
    out += row("",
               fmt::format("KL is {} of the sum over {}{}", number(*value), what,
                           odd ? ": costs do not add up, trust single ones" : ""),
               o);
  }
  if (a.control != 0) {
    out +=
        row("", paint(Paint::red, "the control stream is not 0: a defect of this program", o), o);
  }
  return out;
}

/// The advice as a table with what to paste.
std::string advice(const results::Advice& a, const TextOptions& o) {
  std::string out = fmt::format("\n  To bring the mean below {}: {}\n", number(a.limit),
                                a.promotions.empty() ? "no set of promotions was found"
                                                     : "keep these as the reference has them");
  if (a.promotions.empty()) return out;
  out += fmt::format("    {:<7}{:<20}{:>12}{:>14}{:>16}\n", "layer", "class", "gain", "bytes",
                     "predicted KL");
  for (const results::Promotion& p : a.promotions) {
    out += fmt::format("    {:<7}{:<20}{:>12}{:>14}{:>16}\n", p.layer, p.module_class,
                       number(p.gain), bytes_text(p.extra_bytes), number(p.predicted_kl));
  }
  const std::string measured =
      a.measured ? fmt::format(", measured {}", number(*a.measured)) : " (--confirm measures it)";
  out += fmt::format("    together {} more, predicted {}{}{}\n", bytes_text(a.extra_bytes),
                     number(a.predicted), measured,
                     a.reaches ? "" : paint(Paint::yellow, "; still above the limit", o));
  if (!a.fragment.empty()) {
    out += fmt::format("  For `{}`:\n", a.setting);
    for (std::size_t begin = 0; begin < a.fragment.size();) {
      const std::size_t end = std::min(a.fragment.find('\n', begin), a.fragment.size());
      out += "    " + a.fragment.substr(begin, end - begin) + "\n";
      begin = end + 1;
    }
  }
  return out;
}

std::string gates(const Results& r, const TextOptions& o) {
  std::string out;
  for (const results::Gate& g : r.gates) {
    const Paint p = g.status == "pass"   ? Paint::green
                    : g.status == "fail" ? Paint::red
                                         : Paint::yellow;
    out += fmt::format("  {:<38}{:<11}{}", fmt::format("gate {} {} {:g}", g.name, g.op, g.limit),
                       g.value ? number(*g.value) : "-",
                       paint(p, g.status == "fail" ? "FAIL" : g.status, o));
    if (g.status == "fail") out += "   " + g.code;
    if (g.upper)
      out += fmt::format("   95 % interval [{}, {}]", number(*g.lower), number(*g.upper));
    out += "\n";
  }
  return out.empty() ? out : "\n" + out;
}

}  // namespace

std::string kl_text(const Results& r, const TextOptions& o) {
  const Metrics& m = *r.metrics;
  std::string out;
  const auto p99 = m.kl.percentiles.find("99");
  out += row("KL (reference || this)",
             fmt::format("{} nats per token, 95 % [{}, {}], median {}, p99 {}", number(m.kl.mean),
                         number(m.kl.ci95[0]), number(m.kl.ci95[1]), number(m.kl.median),
                         p99 == m.kl.percentiles.end() ? "-" : number(p99->second)),
             o);
  out += row("",
             fmt::format("max {} at sequence {} position {}{}", number(m.kl.max), m.kl.max_sequence,
                         m.kl.max_position,
                         m.kl.max_token.empty() ? "" : fmt::format(" `{}`", m.kl.max_token)),
             o);
  if (m.kl.nonfinite != 0) {
    out += row("",
               paint(Paint::red,
                     fmt::format("{} positions are not finite and in no mean",
                                 with_commas(m.kl.nonfinite)),
                     o),
               o);
  }
  out += row(
      "same top-1 token",
      fmt::format(
          "{:.2f} %      perplexity {} -> {} ({})", 100 * m.top1,
          number_as("{:.4f}", m.perplexity_reference), number_as("{:.4f}", m.perplexity_candidate),
          number_as("{:+.2f} %", 100 * (m.perplexity_candidate / m.perplexity_reference - 1))),
      o);
  out += row("NaN or Inf", nonfinite(m, r), o);
  if (!m.layers.empty()) out += row("largest layer errors", worst_layers(m), o);
  if (!m.experts.empty()) {
    out += row("largest expert errors", costliest_experts(m), o);
    if (const std::string s = unrouted(m); !s.empty()) out += row("experts", s, o);
    double overlap = 0;
    for (const results::LayerMetrics& l : m.layers) overlap += l.router_overlap;
    out += row("router overlap",
               fmt::format("{:.2f} % of routed experts are the reference's",
                           100 * overlap / static_cast<double>(m.layers.size())),
               o);
  }
  if (const std::string s = headroom(m); !s.empty()) out += row("range", s, o);
  if (m.attribution) out += attribution(*m.attribution, o);
  if (m.noise_floor) {
    out += row(
        "noise floor",
        fmt::format("{} nats by rounding alone; above it {}, 95 % [{}, {}]",
                    number(m.noise_floor->kl), number(m.noise_floor->excess),
                    number(m.noise_floor->excess_ci95[0]), number(m.noise_floor->excess_ci95[1])),
        o);
  }
  for (const results::Modality& b : m.modalities) {
    out += row(&b == m.modalities.data() ? "by kind of position" : "",
               fmt::format("{}: {} at {}, 95 % [{}, {}], same top-1 {:.2f} %", modality_words(b),
                           number(b.kl), plural(b.positions, "position"), number(b.ci95[0]),
                           number(b.ci95[1]), 100 * b.top1),
               o);
  }
  if (o.verbose) out += compatibility(m);
  out += gates(r, o);
  if (m.attribution && m.attribution->advice) out += advice(*m.attribution->advice, o);
  return out + "\n";
}

std::string ranking_text(const Results& r, const TextOptions& o) {
  if (r.ranking.empty()) return {};
  std::size_t width = 0;
  constexpr std::size_t kWidest = 32;
  for (const results::Ranked& c : r.ranking) width = std::max(width, c.target.size());
  width = std::min(width, kWidest);
  std::string out = fmt::format("  {:<3}{:<{}}{:>9}  {:<20}{:>9}  {}\n", "", "closest first",
                                width + 2, "mean KL", "95 % interval", "bytes", "to the one above");
  std::size_t place = 0;
  for (const results::Ranked& c : r.ranking) {
    std::string gap;
    if (c.gap) {
      gap = fmt::format("+{}{}", number(*c.gap),
                        c.apart ? "" : paint(Paint::yellow, ", not told apart", o));
    }
    out += fmt::format("  {:<3}{:<{}}{:>9}  {:<20}{:>9}  {}\n", ++place,
                       shorten_middle(c.target, width), width + 2, number(c.kl),
                       fmt::format("[{}, {}]", number(c.ci95[0]), number(c.ci95[1])),
                       bytes_text(c.bytes), gap);
  }
  return out + "\n";
}

}  // namespace ckpt::reports
