#include "validator/pipeline/gates.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <functional>

#include "validator/base/text.h"
#include "validator/rules/rule.h"

namespace ckpt::pipeline {
namespace {

using results::Gate;
using results::Metrics;

struct Number {
  std::string_view name;
  std::string_view code;
  std::function<double(const Metrics&)> value;
  const results::Distribution Metrics::*interval = nullptr;  ///< for means
};

double percentile(const results::Distribution& d, const char* p) {
  const auto it = d.percentiles.find(p);
  return it == d.percentiles.end() ? std::nan("") : it->second;
}

double largest_layer_error(const Metrics& m) {
  double worst = 0;
  for (const results::LayerMetrics& l : m.layers) {
    if (!(l.local_error <= worst)) worst = l.local_error;  // NaN stays
  }
  return worst;
}

double largest_expert_error(const Metrics& m) {
  double worst = 0;
  for (const results::ExpertMetrics& e : m.experts) {
    if (e.error && !(*e.error <= worst)) worst = *e.error;
  }
  return worst;
}

double router_overlap(const Metrics& m) {
  double sum = 0;
  for (const results::LayerMetrics& l : m.layers) sum += l.router_overlap;
  return m.layers.empty() ? 1 : sum / static_cast<double>(m.layers.size());
}

const std::vector<Number>& numbers() {
  static const std::vector<Number> kNumbers{
      {"kl.mean", "NUM001", [](const Metrics& m) { return m.kl.mean; }, &Metrics::kl},
      {"kl.median", "NUM001", [](const Metrics& m) { return m.kl.median; }},
      {"kl.max", "NUM001", [](const Metrics& m) { return m.kl.max; }},
      {"kl.p99", "NUM001", [](const Metrics& m) { return percentile(m.kl, "99"); }},
      {"kl.p99.9", "NUM001", [](const Metrics& m) { return percentile(m.kl, "99.9"); }},
      {"kl_reverse.mean", "NUM001", [](const Metrics& m) { return m.kl_reverse.mean; },
       &Metrics::kl_reverse},
      {"js.mean", "NUM001", [](const Metrics& m) { return m.js.mean; }, &Metrics::js},
      {"tv.mean", "NUM001", [](const Metrics& m) { return m.tv.mean; }, &Metrics::tv},
      {"nonfinite.count", "NUM002",
       [](const Metrics& m) { return static_cast<double>(m.nonfinite_count); }},
      {"agreement.top1", "NUM003", [](const Metrics& m) { return m.top1; }},
      {"agreement.confident_flips", "NUM003", [](const Metrics& m) { return m.confident_flips; }},
      {"perplexity.ratio", "NUM003",
       [](const Metrics& m) { return m.perplexity_candidate / m.perplexity_reference; }},
      {"delta_p.rms", "NUM003", [](const Metrics& m) { return m.delta_p_rms; }},
      {"layers.max_local_error", "NUM004", largest_layer_error},
      {"experts.max_error", "NUM004", largest_expert_error},
      {"router.overlap", "NUM005", router_overlap},
  };
  return kNumbers;
}

bool holds(double value, const std::string& op, double limit) {
  // Written so that NaN never holds.
  if (op == "<=") return value <= limit;
  if (op == "<") return value < limit;
  if (op == ">=") return value >= limit;
  if (op == ">") return value > limit;
  return value == limit;
}

results::Finding finding(const std::string& code, std::string message, std::string subject) {
  results::Finding f;
  const rules::Rule* rule = rules::find_rule(code);
  f.code = code;
  f.name = std::string(rule->name);
  f.severity = rule->severity;
  f.message = std::move(message);
  f.subject = std::move(subject);
  f.fix = std::string(rule->fix);
  return f;
}

/// What to do about a divergence that attribution has taken apart already.
std::string keep_text(const Metrics& m) {
  return m.attribution->advice && !m.attribution->advice->promotions.empty()
             ? "keep the modules that the advice of this run lists at 16 bits"
             : "keep the layers or classes that cost most in this run's attribution at 16 bits";
}

void judge_one(Gate& gate, const Metrics& m) {
  const auto n = std::ranges::find(numbers(), gate.name, &Number::name);
  gate.value = n->value(m);
  gate.status = holds(*gate.value, gate.op, gate.limit) ? "pass" : "fail";
  if (n->interval == nullptr || !std::isfinite(*gate.value)) return;
  const results::Distribution& d = m.*(n->interval);
  gate.lower = d.ci95[0];
  gate.upper = d.ci95[1];
  const bool low = holds(*gate.lower, gate.op, gate.limit);
  const bool high = holds(*gate.upper, gate.op, gate.limit);
  if (low != high) gate.status = "inconclusive";
}

/// Tokens at which the interval would clear the limit, if the spread stays as it is.
std::string tokens_to_decide(const Gate& gate, const Metrics& m) {
  const double half = (*gate.upper - *gate.lower) / 2;
  const double distance = std::abs(*gate.value - gate.limit);
  if (!(distance > 0)) return "the value is the limit";
  const double factor = (half / distance) * (half / distance) * 1.1;
  const double tokens = static_cast<double>(m.kl.positions) * std::max(factor, 1.1);
  return tokens > 1e12 ? "no number of tokens will tell"
                       : fmt::format("about {} tokens would decide",
                                     with_commas(static_cast<std::uint64_t>(tokens)));
}

}  // namespace

Result<Gate> parse_gate(const std::string& text) {
  const std::size_t at = text.find_first_of("<>=");
  if (at == std::string::npos || at == 0) {
    return fail(ErrorKind::usage, fmt::format("gate `{}`: write NAME<=NUMBER, for example "
                                              "kl.mean<=0.014",
                                              shown(text, 80)));
  }
  Gate gate;
  gate.name = text.substr(0, at);
  while (gate.name.ends_with(' ')) gate.name.pop_back();
  std::size_t end = at + 1;
  if (end < text.size() && text[end] == '=') ++end;
  gate.op = text.substr(at, end - at);
  if (gate.op == "=") gate.op = "==";
  const auto known = std::ranges::find(numbers(), gate.name, &Number::name);
  if (known == numbers().end()) {
    std::vector<std::string> names;
    for (const Number& n : numbers()) names.emplace_back(n.name);
    const std::string_view near = nearest(gate.name, names);
    return fail(ErrorKind::usage,
                fmt::format("gate `{}`: no such number{}", shown(gate.name, 80),
                            near.empty() ? fmt::format("; there are {}", fmt::join(names, ", "))
                                         : fmt::format(", did you mean `{}`?", near)));
  }
  while (end < text.size() && text[end] == ' ') ++end;
  const char* last = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data() + end, last, gate.limit);
  if (error != std::errc{} || stop != last || !std::isfinite(gate.limit)) {
    return fail(ErrorKind::usage,
                fmt::format("gate `{}`: the limit is not a number", shown(text, 80)));
  }
  gate.code = std::string(known->code);
  return gate;
}

void judge_gates(results::Results& r) {
  if (!r.metrics) return;
  const Metrics& m = *r.metrics;
  for (Gate& gate : r.gates) {
    judge_one(gate, m);
    if (gate.status == "fail") {
      r.findings.push_back(
          finding(gate.code,
                  fmt::format("`{}` is {}, the gate asks for {} {:g}", gate.name,
                              number_as("{:.4g}", *gate.value), gate.op, gate.limit),
                  gate.name));
      if (gate.code == "NUM001" && m.attribution) r.findings.back().fix = keep_text(m);
    } else if (gate.status == "inconclusive") {
      r.notes.push_back(fmt::format("gate {}: the interval [{:.3g}, {:.3g}] contains {:g}; {}",
                                    gate.name, *gate.lower, *gate.upper, gate.limit,
                                    tokens_to_decide(gate, m)));
    }
  }
  for (const results::NonFinite& n : m.nonfinite) {
    if (n.stream != "candidate") continue;
    results::Finding f =
        finding("NUM002",
                fmt::format("{} values are not finite, first at {}: {}", with_commas(n.count),
                            results::op_text(n), results::value_text(n)),
                "forward");
    results::Location w;
    w.layer = n.layer;
    w.module = n.op;
    w.note = fmt::format("sequence {} position {}", n.sequence, n.position);
    f.where.push_back(std::move(w));
    r.findings.push_back(std::move(f));
  }
}

}  // namespace ckpt::pipeline
