// What each layer and class costs, and which modules to keep at 16 bits.

#include <fmt/format.h>

#include <algorithm>

#include "reports/escape.h"
#include "reports/page.h"
#include "reports/words.h"
#include "validator/base/text.h"

namespace ckpt::reports {
namespace {

using results::Advice;
using results::Cost;

constexpr std::size_t kRows = 40;

std::string extra(const Cost& c) {
  return c.bytes_reference > c.bytes_candidate ? bytes_text(c.bytes_reference - c.bytes_candidate)
                                               : "-";
}

std::string what(const Cost& c) {
  std::string out = c.layer < 0 ? "all layers" : fmt::format("layer {}", c.layer);
  if (!c.module_class.empty()) out += ", " + c.module_class;
  if (c.expert >= 0) out += fmt::format(", expert {}", c.expert);
  return out;
}

std::string costs(const results::Attribution& a) {
  std::vector<const Cost*> order;
  for (const Cost& c : a.costs) order.push_back(&c);
  std::ranges::stable_sort(order, [](const Cost* x, const Cost* y) { return x->kl > y->kl; });
  std::string rows;
  for (std::size_t i = 0; i < std::min(order.size(), kRows); ++i) {
    const Cost& c = *order[i];
    rows += fmt::format("<tr><td>{}</td>{}{}{}{}</tr>\n", html(what(c)), page_cell(number(c.kl)),
                        page_cell(number(c.se)), page_cell(c.gain ? number(*c.gain) : "-"),
                        page_cell(extra(c)));
  }
  if (rows.empty()) return {};
  return "<div class=\"scroll\"><table class=\"sortable\"><thead><tr><th>quantized alone</th>"
         "<th>KL, nats</th><th>standard error</th><th>gain when kept</th><th>costs</th></tr>"
         "</thead><tbody>\n" +
         rows + "</tbody></table></div>\n";
}

std::string recipe(const Advice& a) {
  std::string out = fmt::format(
      "<h3>Keep these at 16 bits</h3>\n<p>To bring the mean KL below {}: {} more, expected {}{}. "
      "{}</p>\n",
      number(a.limit), bytes_text(a.extra_bytes), number(a.predicted),
      a.measured ? fmt::format(", measured {}", number(*a.measured)) : "",
      a.reaches ? "" : "<b>This does not reach the limit.</b>");
  std::string rows;
  for (const results::Promotion& p : a.promotions) {
    rows += fmt::format("<tr>{}<td>{}</td>{}{}{}</tr>\n", page_cell(std::to_string(p.layer)),
                        html(p.module_class), page_cell(number(p.gain)),
                        page_cell(bytes_text(p.extra_bytes)), page_cell(number(p.predicted_kl)));
  }
  if (!rows.empty()) {
    out +=
        "<div class=\"scroll\"><table><thead><tr><th>layer</th><th>class</th><th>gain, nats</th>"
        "<th>costs</th><th>KL after it</th></tr></thead><tbody>\n" +
        rows + "</tbody></table></div>\n";
  }
  if (!a.fragment.empty()) {
    out += fmt::format("<p>In <code>{}</code>:</p>\n<pre>{}</pre>\n", html(a.setting),
                       html(a.fragment));
  }
  return out;
}

}  // namespace

std::string page_recipe(const PageInput& in) {
  if (!in.results.metrics || !in.results.metrics->attribution) return {};
  const results::Attribution& a = *in.results.metrics->attribution;
  std::string out = page_heading(in, "recipe", "What costs how much");
  out +=
      "<p>KL of the reference with only this part quantized, and by how much the mean falls when "
      "only this part is kept as the reference has it; measured, not estimated.</p>\n";
  out += costs(a);
  return a.advice ? out + recipe(*a.advice) : out;
}

}  // namespace ckpt::reports
