// KL and its kin, what the numbers mean, gates, and how all of it was obtained.

#include <fmt/format.h>

#include <cmath>

#include "reports/escape.h"
#include "reports/page.h"
#include "reports/words.h"
#include "validator/base/text.h"

namespace ckpt::reports {
namespace {

using results::Distribution;
using results::Metrics;
using results::Results;

std::string card(std::string_view label, const std::string& value, const std::string& note) {
  return fmt::format("<div class=\"card\"><span>{}</span><b>{}</b><span>{}</span></div>\n", label,
                     html(value), html(note));
}

std::string cards(const Metrics& m) {
  std::string out = "<div class=\"cards\">\n";
  out += card("mean KL(reference || this)", number(m.kl.mean) + " nats",
              fmt::format("95 % interval {} to {}", number(m.kl.ci95[0]), number(m.kl.ci95[1])));
  out += card("same top-1 token", percent(m.top1),
              fmt::format("{} flips where the reference was sure", percent(m.confident_flips)));
  out += card("perplexity", number_as("{:.3f}", m.perplexity_candidate),
              fmt::format("reference {}, {}", number_as("{:.3f}", m.perplexity_reference),
                          number_as("{:+.2f} %",
                                    100 * (m.perplexity_candidate / m.perplexity_reference - 1))));
  out += card("NaN or Inf", m.nonfinite_count == 0 ? "none" : with_commas(m.nonfinite_count),
              m.nonfinite.empty() ? fmt::format("in {}", plural(m.layers.size(), "layer"))
                                  : fmt::format("first: {}, layer {}, {}", m.nonfinite[0].stream,
                                                m.nonfinite[0].layer, m.nonfinite[0].op));
  return out + "</div>\n";
}

std::string percentile(const Distribution& d, const char* name) {
  const auto it = d.percentiles.find(name);
  return it == d.percentiles.end() ? "-" : number(it->second);
}

/// The numbers in words, without a judgement that no number supports.
std::string meaning(const Results& r) {
  const Metrics& m = *r.metrics;
  std::string out = fmt::format(
      "<p>At a typical position the two models differ by {} nats (the median); one position in a "
      "hundred differs by more than {}. Zero means the same probability for every token of the "
      "vocabulary; a KL of {} at a position means that the reference's own continuations get, in "
      "the geometric mean, {:.3g} times the probability they should have.</p>\n",
      number(m.kl.median), percentile(m.kl, "99"), number(m.kl.mean), std::exp(-m.kl.mean));
  out += fmt::format(
      "<p>The interval comes from {} positions in {}: whole sequences are drawn again and again "
      "(bootstrap), because neighbouring positions are not independent. It covers the choice of "
      "text of this kind, not other kinds of text.{}</p>\n",
      with_commas(m.kl.positions), plural(r.how.sequences, "sequence"),
      m.kl.nonfinite == 0 ? ""
                          : fmt::format(" <b>{} positions are not finite and in no mean.</b>",
                                        with_commas(m.kl.nonfinite)));
  return out;
}

std::string distributions(const Metrics& m) {
  struct Row {
    std::string_view name;
    const Distribution& d;
  };

  std::string out =
      "<div class=\"scroll\"><table><thead><tr><th>per position</th><th class=\"n\">mean</th><th "
      "class=\"n\">standard error</th><th class=\"n\">median</th><th class=\"n\">90 %</th><th "
      "class=\"n\">99 %</th><th class=\"n\">99.9 %</th><th class=\"n\">largest</th></tr></thead>"
      "<tbody>\n";
  for (const Row& row : {Row{"KL(reference || this), nats", m.kl},
                         {"KL(this || reference), nats", m.kl_reverse},
                         {"Jensen-Shannon, nats", m.js},
                         {"total variation", m.tv}}) {
    out += fmt::format(
        "<tr><td>{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td><td "
        "class=\"n\">{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td><td "
        "class=\"n\">{}</td></tr>\n",
        row.name, number(row.d.mean), number(row.d.se), number(row.d.median),
        percentile(row.d, "90"), percentile(row.d, "99"), percentile(row.d, "99.9"),
        number(row.d.max));
  }
  return out + "</tbody></table></div>\n";
}

std::string modalities(const Metrics& m) {
  if (m.modalities.empty()) return {};
  std::string out =
      "<h3>By kind of position</h3>\n<div class=\"scroll\"><table><thead><tr><th>positions</th><th "
      "class=\"n\">number</th><th class=\"n\">mean KL, nats</th><th>95 % interval</th><th "
      "class=\"n\">same top-1 token</th></tr></thead><tbody>\n";
  for (const results::Modality& b : m.modalities) {
    out += fmt::format(
        "<tr><td>{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td><td>{} to {}</td><td "
        "class=\"n\">{:.2f} %</td></tr>\n",
        html(modality_words(b)), with_commas(b.positions), number(b.kl), number(b.ci95[0]),
        number(b.ci95[1]), 100 * b.top1);
  }
  return out + "</tbody></table></div>\n";
}

std::string gates(const Results& r) {
  if (r.gates.empty()) return {};
  std::string out =
      "<h3>Gates</h3>\n<div class=\"scroll\"><table><thead><tr><th>gate</th><th "
      "class=\"n\">value</th><th>95 % interval</th><th></th></tr></thead><tbody>\n";
  for (const results::Gate& g : r.gates) {
    out += fmt::format(
        "<tr><td><code>{} {} {}</code></td><td class=\"n\">{}</td><td>{}</td><td><span "
        "class=\"badge {}\">{}</span></td></tr>\n",
        html(g.name), html(g.op), number(g.limit), g.value ? number(*g.value) : "-",
        g.lower && g.upper ? fmt::format("{} to {}", number(*g.lower), number(*g.upper)) : "",
        html(g.status), html(g.status));
  }
  return out + "</tbody></table></div>\n";
}

constexpr std::string_view kDefinitions =
    "<h3>What the numbers are</h3>\n<ul>\n"
    "<li><b>KL(reference || this)</b>: the sum over the whole vocabulary of p(log p - log q), p "
    "the "
    "reference's probability, q this checkpoint's; natural logarithm; at every position of the "
    "text, both models having read the same tokens.</li>\n"
    "<li><b>Local error</b>: this checkpoint's layer or expert on the reference's own inputs, "
    "against the reference's output; of a layer relative to what it adds to the hidden state. It "
    "blames a module for its own rounding only.</li>\n"
    "<li><b>Propagated error</b>: how far the hidden state has drifted by the end of a layer, "
    "everything before it included.</li>\n"
    "<li><b>Router overlap</b>: the share of the experts chosen by the reference that are chosen "
    "here too.</li>\n"
    "<li><b>Saliency</b>: mean gate weight times the norm of an expert's output, over the tokens "
    "routed to it (REAP); a <b>super expert</b> is among the 0.05 % with the largest mean output "
    "norm.</li>\n</ul>\n";

}  // namespace

std::string page_distance(const PageInput& in) {
  const Results& r = in.results;
  if (!r.metrics) return {};
  return page_heading(in, "distance", "Distance to the reference") + cards(*r.metrics) +
         meaning(r) + distributions(*r.metrics) + modalities(*r.metrics) + gates(r);
}

std::string page_how(const PageInput& in) {
  const Results& r = in.results;
  std::string out = page_heading(in, "how", "How this was obtained");
  out += "<dl class=\"facts\">\n" + page_fact("command", r.run.command) +
         page_fact("depth", r.run.depth);
  if (r.metrics) {
    out += page_fact("reference", r.how.reference) + page_fact("text", r.how.text);
    out += page_fact("text SHA-256", r.how.text_sha256);
    out += page_fact("tokens",
                     fmt::format("{} in {} of at most {}", with_commas(r.how.tokens),
                                 plural(r.how.sequences, "sequence"), with_commas(r.how.context)));
    if (r.how.images > 0) out += page_fact("images", with_commas(r.how.images));
    out += page_fact("arithmetic", r.how.mode) + page_fact("backend", r.how.backend);
    out += page_fact("seed", std::to_string(r.how.seed));
  }
  out += page_fact("started", r.run.started) + page_fact("took", duration(r.run.duration_s));
  out += page_fact("fails on", r.run.fail_on) + "</dl>\n";
  if (r.metrics) out += kDefinitions;
  if (r.rules_skipped.empty()) return out;
  out += fmt::format("<details class=\"more\"><summary>{} that could not run</summary><ul>\n",
                     plural(r.rules_skipped.size(), "rule"));
  for (const results::Incomplete& s : r.rules_skipped) {
    out += fmt::format("<li><code>{}</code> {}</li>\n", html(s.what), html(s.why));
  }
  return out + "</ul></details>\n";
}

}  // namespace ckpt::reports
