// A comment on a pull request: verdict, loaders, numbers, findings that fold.

#include <fmt/format.h>

#include <algorithm>

#include "reports/escape.h"
#include "reports/formats.h"
#include "reports/words.h"
#include "validator/base/text.h"

namespace ckpt::reports {
namespace {

using results::Finding;
using results::Results;
using results::Severity;

constexpr std::size_t kPlaces = 10;
constexpr std::size_t kBytes = 900U << 10;  // GitHub cuts a job's summary at 1 MiB

/// `summary` is HTML, where code spans are elements.
std::string html_prose(std::string_view text) {
  std::string out;
  bool code = false;
  const bool paired = std::ranges::count(text, '`') % 2 == 0;
  for (std::size_t tick = 0; tick != std::string_view::npos; code = !code) {
    tick = paired ? text.find('`') : std::string_view::npos;
    const std::string part = html(one_line(text.substr(0, tick)));
    out += code ? fmt::format("<code>{}</code>", part) : part;
    if (tick != std::string_view::npos) text.remove_prefix(tick + 1);
  }
  // A mention or a link is made of text, wherever it stands.
  for (std::size_t at = 0; (at = out.find_first_of("@:", at)) != std::string::npos; at += 9) {
    out.insert(at + 1, "<!-- -->");
  }
  return out;
}

std::string place_line(const results::Location& w) {
  std::string out = "- " + markdown_code(place_text(w));
  if (!w.tensor.empty()) out += " " + markdown_code(w.tensor);
  if (!w.note.empty()) out += ": " + markdown(w.note);
  return out + "\n";
}

std::string finding_section(const Finding& f) {
  std::string out = fmt::format(
      "<details{}><summary><b>{}</b> {} <code>{}</code>: {}</summary>\n\n",
      f.status == "new" && f.severity == Severity::error ? " open" : "",
      f.status == "new" ? results::severity_name(f.severity) : std::string_view(f.status),
      html(one_line(f.code)), html(one_line(f.name)), html_prose(f.message));
  if (const std::string aside = set_aside_text(f); !aside.empty()) out += markdown(aside) + "\n\n";
  for (std::size_t i = 0; i < std::min(f.where.size(), kPlaces); ++i) {
    out += place_line(f.where[i]);
  }
  const std::size_t listed = std::min(f.where.size(), kPlaces);
  if (f.count > listed && listed != 0) {
    out += fmt::format("- and {} more\n", with_commas(f.count - listed));
  }
  for (const std::string& e : effect_lines(f)) out += "- **effect** " + markdown(e) + "\n";
  if (!f.fix.empty()) {
    out += fmt::format("- **fix** {}{}\n", markdown(f.fix), f.repairable ? " (repairable)" : "");
  }
  return out + "\n</details>\n\n";
}

std::string loaders_table(const Results& r) {
  if (r.loaders.empty()) return {};
  std::string out = "| loader | state | codes |\n|---|---|---|\n";
  for (const results::LoaderOutcome& l : r.loaders) {
    const std::string why = l.note.empty() ? fmt::format("{}", fmt::join(l.codes, " ")) : l.note;
    out += fmt::format("| {} {} | {} | {} |\n", markdown(l.name), markdown(l.version),
                       results::loader_state_words(l.state), markdown(why));
  }
  return out + "\n";
}

std::string metrics_table(const Results& r) {
  if (!r.metrics) return {};
  const results::Metrics& m = *r.metrics;
  std::string out = "| metric | value |\n|---|---|\n";
  out +=
      fmt::format("| mean KL(reference &#124;&#124; this), nats per token | {}, 95 % [{}, {}] |\n",
                  number(m.kl.mean), number(m.kl.ci95[0]), number(m.kl.ci95[1]));
  out += fmt::format("| median KL | {} |\n| same top-1 token | {} |\n", number(m.kl.median),
                     percent(m.top1));
  out += fmt::format("| perplexity | {} to {} |\n", number_as("{:.4f}", m.perplexity_reference),
                     number_as("{:.4f}", m.perplexity_candidate));
  for (const results::Modality& b : m.modalities) {
    out += fmt::format("| mean KL, {} ({}) | {}, 95 % [{}, {}] |\n", markdown(modality_words(b)),
                       plural(b.positions, "position"), number(b.kl), number(b.ci95[0]),
                       number(b.ci95[1]));
  }
  out += fmt::format("| NaN or Inf | {} |\n\n", with_commas(m.nonfinite_count));
  return out;
}

std::string gates_table(const Results& r) {
  if (r.gates.empty()) return {};
  std::string out = "| gate | value | |\n|---|---|---|\n";
  for (const results::Gate& g : r.gates) {
    out += fmt::format("| {} | {} | {} |\n",
                       markdown_code(fmt::format("{} {} {}", g.name, g.op, number(g.limit))),
                       g.value ? number(*g.value) : "-", markdown(g.status));
  }
  return out + "\n";
}

std::string one(const Results& r) {
  const std::string how = depth_text(r);
  std::string out =
      fmt::format("### {} {}\n\n{}{}{}\n\n", verdict_word(r), markdown_code(r.target.input),
                  counts_text(r), how.empty() ? "" : "; ", markdown(how));
  out += loaders_table(r) + metrics_table(r) + gates_table(r);
  for (const results::Incomplete& i : r.run.incomplete) {
    out += fmt::format("- **not looked at** {}: {}\n", markdown(i.what), markdown(i.why));
  }
  if (!r.run.incomplete.empty()) out += "\n";
  std::size_t left_out = 0;
  for (const Severity s : {Severity::error, Severity::warning, Severity::info}) {
    for (const Finding& f : r.findings) {
      if (f.severity != s) continue;
      const std::string section = finding_section(f);
      if (out.size() + section.size() > kBytes) {
        ++left_out;
      } else {
        out += section;
      }
    }
  }
  if (left_out != 0) out += fmt::format("{} left out.\n\n", plural(left_out, "finding"));
  return out;
}

}  // namespace

Result<std::string> render_markdown(const ResultsList& all, const Options&) {
  std::string out;
  for (const Results& r : all) out += one(r);
  if (!all.empty())
    out += fmt::format("<sub>ckpt-check {}</sub>\n", html_prose(all[0].tool_version));
  return out;
}

}  // namespace ckpt::reports
