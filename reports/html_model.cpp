// Layers, experts and the text: the parts of the page that draw.

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "reports/escape.h"
#include "reports/figures.h"
#include "reports/page.h"
#include "reports/png.h"
#include "reports/words.h"
#include "validator/base/text.h"

namespace ckpt::reports {
namespace {

using results::ExpertMetrics;
using results::LayerMetrics;
using results::Metrics;

constexpr std::size_t kExpertRows = 30;
constexpr std::size_t kHeadroomRows = 12;
constexpr double kHalf = 65504;

std::string figure(const std::string& svg, std::string_view caption) {
  if (svg.empty()) return {};
  return fmt::format("<figure><div class=\"wide\">{}</div><figcaption>{}</figcaption></figure>\n",
                     svg, caption);
}

std::string table(std::initializer_list<std::string_view> columns, const std::string& rows) {
  std::string out = "<div class=\"scroll\"><table class=\"sortable\"><thead><tr>";
  for (const std::string_view c : columns) out += fmt::format("<th>{}</th>", c);
  return out + "</tr></thead><tbody>\n" + rows + "</tbody></table></div>\n";
}

std::string layer_rows(const PageInput& in, const Metrics& m) {
  std::string rows;
  for (const LayerMetrics& l : m.layers) {
    std::string kind = l.kind;
    std::ranges::replace(kind, '_', ' ');
    rows += fmt::format("<tr id=\"{}layer-{}\"><td class=\"n\">{}</td><td>{}</td>", in.prefix,
                        l.layer, l.layer, html(kind));
    rows += page_cell(percent(l.local_error)) + page_cell(percent(l.propagated_error)) +
            page_cell(number(l.hidden_norm));
    if (!m.experts.empty()) {
      rows += page_cell(percent(l.router_overlap)) + page_cell(percent(l.router_set_agreement));
      rows += page_cell(l.router_gate_tv ? percent(*l.router_gate_tv) : "-");
    }
    rows += "</tr>\n";
  }
  return rows;
}

std::string range(const Metrics& m) {
  std::vector<const results::Headroom*> order;
  for (const results::Headroom& h : m.headroom) order.push_back(&h);
  std::ranges::stable_sort(order, [](const auto* a, const auto* b) {
    return !(a->max_abs_candidate <= b->max_abs_candidate) && !std::isnan(b->max_abs_candidate);
  });
  if (order.empty()) return {};
  std::string rows;
  for (std::size_t i = 0; i < std::min(order.size(), kHeadroomRows); ++i) {
    const results::Headroom& h = *order[i];
    rows += fmt::format("<tr>{}<td>{}</td>", page_cell(h.layer < 0 ? "-" : std::to_string(h.layer)),
                        html(h.point));
    rows += page_cell(number(h.max_abs_reference)) + page_cell(number(h.max_abs_candidate)) +
            page_cell(percent(h.max_abs_candidate / kHalf)) + "</tr>\n";
  }
  return "<h3>Range</h3>\n<p>The largest values on the way; float16 ends at 65504.</p>\n" +
         table({"layer", "place", "reference", "this", "of float16"}, rows);
}

std::string joined(const std::vector<int>& numbers) {
  return fmt::format("{}", fmt::join(numbers, ","));
}

/// An image of one pixel an expert, with the values for the pointer.
std::string heat_map(const ExpertGrid& g, ExpertValue value) {
  std::string bytes;
  for (const auto& v : g.values) {
    const std::uint16_t bits = float16_bits(v ? static_cast<float>(*v) : std::nanf(""));
    bytes += static_cast<char>(bits & 0xFFU);
    bytes += static_cast<char>(bits >> 8);
  }
  constexpr std::string_view kKinds[] = {"error", "tokens", "saliency"};
  // A cell is a pixel; the page stretches it, about seven pixels down, in steps that its style
  // knows.
  const std::size_t height = std::clamp<std::size_t>((g.layers.size() * 7 + 30) / 60, 2, 8);
  return fmt::format(
      "<figure><div class=\"map\" data-kind=\"{}\" data-layers=\"{}\" data-experts=\"{}\" "
      "data-values=\"{}\"><img alt=\"{} of {} layers (down) by {} experts (across)\" class=\"h{}\" "
      "src=\"{}\"></div><figcaption>{}, layers down, experts across. <span "
      "class=\"scale\"></span> 0 to {}; hatched: never routed to.</figcaption></figure>\n",
      kKinds[static_cast<std::size_t>(value)], joined(g.layers), joined(g.experts), base64(bytes),
      expert_value_name(value), g.layers.size(), g.experts.size(), height, grid_image(g),
      expert_value_name(value), html(expert_value_text(value, g.top)));
}

std::string grids(const Metrics& m) {
  std::string out;
  for (const ExpertValue value : {ExpertValue::error, ExpertValue::tokens, ExpertValue::saliency}) {
    const auto grid = expert_grid(m, value);
    if (!grid) continue;
    out += grid->values.size() > kGridMarks
               ? heat_map(*grid, value)
               : figure(experts_figure(*grid, value, SvgUse::page), "");
  }
  return out;
}

/// NaN is worse than any number; what was never routed to is unknown.
double rank(const ExpertMetrics& e) {
  if (!e.error) return -1;
  return std::isnan(*e.error) ? HUGE_VAL : *e.error;
}

/// The experts with the largest errors, then the super experts that are not among them.
std::string expert_rows(const PageInput& in, const Metrics& m) {
  std::vector<const ExpertMetrics*> order;
  for (const ExpertMetrics& e : m.experts) order.push_back(&e);
  std::ranges::stable_sort(order, [](const auto* a, const auto* b) { return rank(*a) > rank(*b); });
  std::string rows;
  for (std::size_t i = 0; i < order.size(); ++i) {
    const ExpertMetrics& e = *order[i];
    if (i >= kExpertRows && !e.super_expert) continue;
    rows += fmt::format("<tr id=\"{}expert-{}-{}\">{}{}{}{}{}{}{}<td>{}</td></tr>\n", in.prefix,
                        e.layer, e.expert, page_cell(std::to_string(e.layer)),
                        page_cell(std::to_string(e.expert)), page_cell(percent(e.error)),
                        page_cell(with_commas(e.tokens)),
                        page_cell(e.tokens_candidate ? with_commas(*e.tokens_candidate) : "-"),
                        page_cell(number(e.saliency)), page_cell(number(e.output_norm)),
                        e.super_expert ? "super expert" : "");
  }
  return rows;
}

std::string unrouted(const Metrics& m) {
  const auto none = std::ranges::count(m.experts, 0U, &ExpertMetrics::tokens);
  const auto few =
      std::ranges::count_if(m.experts, [](const auto& e) { return e.tokens > 0 && e.tokens < 32; });
  if (none + few == 0) return {};
  return fmt::format(
      "<p>{} of {} experts were never routed to and {} only by fewer than 32 tokens: what is said "
      "about them is unknown or rough, not good.</p>\n",
      with_commas(static_cast<std::uint64_t>(none)), with_commas(m.experts.size()),
      with_commas(static_cast<std::uint64_t>(few)));
}

/// Colour of a token: 0 to 4, by powers of ten of its KL.
int heat(double kl) {
  if (std::isnan(kl)) return 4;
  return kl >= 1 ? 4 : kl >= 0.1 ? 3 : kl >= 0.01 ? 2 : kl >= 0.001 ? 1 : 0;
}

std::string token(const std::string& text) {
  return text.empty() ? "<i class=\"dim\">nothing</i>" : fmt::format("<code>{}</code>", html(text));
}

/// What both models hold likely, side by side.
std::string likeliest(const results::WorstPosition& w) {
  constexpr std::size_t kMost = 5;  // whatever the file holds
  const std::size_t n = std::min(kMost, std::max(w.reference_top.size(), w.candidate_top.size()));
  if (n == 0) return {};
  std::string rows;
  for (std::size_t i = 0; i < n; ++i) {
    rows += "<tr>";
    for (const auto* top : {&w.reference_top, &w.candidate_top}) {
      const bool has = i < top->size();
      rows += fmt::format("<td>{}</td>", has ? token((*top)[i].token) : "");
      rows += page_cell(has ? percent(std::exp((*top)[i].log_p)) : "");
    }
    rows += "</tr>\n";
  }
  return "<details class=\"more\"><summary>The likeliest tokens of both</summary>\n"
         "<table><thead><tr><th>reference</th><th></th><th>this</th><th></th></tr></"
         "thead><tbody>\n" +
         rows + "</tbody></table></details>";
}

std::string position(const results::WorstPosition& w) {
  std::string out = fmt::format(
      "<li><b>{} nats</b> <span class=\"dim\">sequence {}, position {}</span><div class=\"text\">",
      number(w.kl), with_commas(w.sequence), with_commas(w.position));
  for (const results::TokenKl& t : w.context) {
    const bool last = &t == &w.context.back();
    out += fmt::format("<span class=\"k{}\" title=\"{} nats\">{}{}{}</span>", heat(t.kl),
                       number(t.kl), last ? "<mark>" : "", html(t.text), last ? "</mark>" : "");
  }
  out += fmt::format(
      "</div>The reference expects {} ({}), this checkpoint {} ({}); the text goes on with {}.{}"
      "</li>\n",
      token(w.reference_token), percent(w.reference_p), token(w.candidate_token),
      percent(w.candidate_p), token(w.next_token), likeliest(w));
  return out;
}

}  // namespace

std::string page_layers(const PageInput& in) {
  if (!in.results.metrics || in.results.metrics->layers.empty()) return {};
  const Metrics& m = *in.results.metrics;
  std::string out = page_heading(in, "layers", "Layers");
  out += figure(layers_figure(m, SvgUse::page),
                "Local: the layer alone, on the reference's inputs. Propagated: the hidden state "
                "by then, everything before included.");
  out += figure(cost_figure(m, SvgUse::page),
                "What each layer alone costs: all others as the reference has them.");
  const std::string rows = layer_rows(in, m);
  const std::string body =
      m.experts.empty() ? table({"layer", "kind", "local error", "propagated", "hidden norm"}, rows)
                        : table({"layer", "kind", "local error", "propagated", "hidden norm",
                                 "router overlap", "same set", "gates apart"},
                                rows);
  return out + body + range(m);
}

std::string page_experts(const PageInput& in) {
  if (!in.results.metrics || in.results.metrics->experts.empty()) return {};
  const Metrics& m = *in.results.metrics;
  std::string out = page_heading(in, "experts", "Experts and routing");
  out += grids(m) + unrouted(m);
  out += "<h3>Largest errors, and super experts</h3>\n" +
         table({"layer", "expert", "local error", "tokens", "tokens here", "saliency",
                "output norm", ""},
               expert_rows(in, m));
  out += "<h3>Routing</h3>\n";
  return out + figure(routing_figure(m, SvgUse::page),
                      "Local: both routers on the reference's hidden states. Along the way: each "
                      "on its own, as are the set, the distance of the gates (total variation) and "
                      "the tokens that this checkpoint's router sends to an expert.");
}

std::string page_over_text(const PageInput& in) {
  if (!in.results.metrics || !in.results.metrics->over_text) return {};
  const Metrics& m = *in.results.metrics;
  std::string out = page_heading(in, "text", "KL over the text");
  out += figure(tokens_figure(m, SvgUse::page),
                "In the order of the text; sequences follow each other.");
  out += figure(histogram_figure(m, SvgUse::page), "How many positions have how large a KL.");
  if (m.over_text->positions.empty()) return out;
  out +=
      "<h3>The worst positions</h3>\n<p>Each with the text before it. The marked token was read "
      "last; the shade of a token is the KL of the prediction made after it: <span class=\"text\">"
      "<span class=\"k1\">0.001</span> <span class=\"k2\">0.01</span> <span "
      "class=\"k3\">0.1</span> "
      "<span class=\"k4\">1 nat</span></span> or more.</p>\n<ol class=\"worst\">\n";
  for (const results::WorstPosition& w : m.over_text->positions) out += position(w);
  return out + "</ol>\n";
}

}  // namespace ckpt::reports
