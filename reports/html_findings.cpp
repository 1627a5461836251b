// The findings of the page: each folds, each code is an anchor.

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "reports/escape.h"
#include "reports/page.h"
#include "reports/words.h"
#include "validator/base/text.h"

namespace ckpt::reports {
namespace {

using results::Finding;
using results::Location;
using results::Severity;

constexpr std::size_t kExcerpts = 3;
constexpr std::size_t kExcerptChars = 300;

/// Bytes of the first `n` characters of UTF-8 text.
std::size_t bytes_of(std::string_view text, std::size_t n) {
  std::size_t at = 0;
  for (; at < text.size(); ++at) {
    const bool begins = (static_cast<unsigned char>(text[at]) & 0xC0U) != 0x80U;
    if (begins && n-- == 0) break;
  }
  return at;
}

/// The source line with its marked part; of a long line only what stands around it.
std::string excerpt(const Location& w) {
  const std::string_view line = w.source_line;
  const std::size_t begin = bytes_of(line, std::max(w.column, 1U) - 1);
  const std::size_t end = w.end_line == w.line && w.end_column > w.column
                              ? bytes_of(line, w.end_column - 1)
                              : line.size();
  const std::size_t from = begin > kExcerptChars ? begin - kExcerptChars : 0;
  const std::string before = shown(line.substr(from, begin - from), 2 * kExcerptChars);
  const std::string marked = shown(line.substr(begin, end - begin), kExcerptChars);
  const std::string after = shown(line.substr(end), kExcerptChars);
  return fmt::format("<pre><span class=\"dim\">{} | </span>{}{}<mark>{}</mark>{}</pre>\n", w.line,
                     from == 0 ? "" : "...", html(before), html(marked), html(after));
}

std::string place(const Location& w, bool with_line) {
  std::string out = fmt::format("<li><code>{}</code>", html(place_text(w)));
  if (!w.pointer.empty() && w.line == 0) out += fmt::format(" <code>{}</code>", html(w.pointer));
  if (!w.tensor.empty()) out += fmt::format(" <code>{}</code>", html(w.tensor));
  if (!w.dtype.empty()) {
    out += fmt::format(" {} [{}]", html(w.dtype), fmt::join(w.shape, ", "));
  }
  if (!w.module.empty() && w.tensor.empty()) out += fmt::format(" <code>{}</code>", html(w.module));
  if (!w.note.empty()) out += "<br>" + page_prose(w.note);
  if (with_line && w.line != 0 && !w.source_line.empty()) out += "\n" + excerpt(w);
  return out + "</li>\n";
}

std::string places(const Finding& f) {
  if (f.where.empty()) return {};
  std::string out = "<ul>\n";
  const std::size_t first = std::min(f.where.size(), kExcerpts);
  for (std::size_t i = 0; i < first; ++i) out += place(f.where[i], true);
  out += "</ul>\n";
  if (f.count > first) {
    out += fmt::format("<details class=\"more\"><summary>and {} more</summary>\n<ul>\n",
                       with_commas(f.count - first));
    for (std::size_t i = first; i < f.where.size(); ++i) out += place(f.where[i], false);
    if (f.count > f.where.size()) {
      out += fmt::format("<li>{} are not listed</li>\n", with_commas(f.count - f.where.size()));
    }
    out += "</ul></details>\n";
  }
  return out;
}

std::string about(const Finding& f) {
  std::string out;
  for (const std::string& e : effect_lines(f)) {
    out += fmt::format("<p><b>Effect</b> {}</p>\n", page_prose(e));
  }
  if (!f.fix.empty()) {
    out += fmt::format("<p><b>Fix</b> {}{}</p>\n", page_prose(f.fix),
                       f.repairable ? " <span class=\"badge pass\">repairable</span>" : "");
  }
  return out;
}

std::string rule_text(const PageInput& in, const Finding& f) {
  const RuleText* r = find_rule(in.options, f.code);
  if (r == nullptr) return {};
  return fmt::format(
      "<details class=\"more\"><summary>What {} checks, and why</summary><p>{}</p><p>{}</p>"
      "</details>\n",
      html(f.code), page_prose(r->what), page_prose(r->why));
}

std::string finding(const PageInput& in, const Finding& f, const std::string& id) {
  const bool counts = f.status == "new";
  const std::string level(counts ? results::severity_name(f.severity) : f.status);
  std::string out = fmt::format(
      "<details class=\"finding\" id=\"{}\" data-level=\"{}\"{}>\n<summary><span class=\"badge "
      "{}\">{}</span> <b>{}</b> {}: {}</summary>\n<div>\n",
      html(id), html(level), counts && f.severity != Severity::info ? " open" : "", html(level),
      html(level), html(f.code), html(f.name), page_prose(f.message));
  if (const std::string why = set_aside_text(f); !why.empty()) {
    out += fmt::format("<p><i>{}</i></p>\n", html(why));
  }
  out += places(f) + about(f) + rule_text(in, f);
  return out + "</div>\n</details>\n";
}

std::string filter(const results::Results& r) {
  std::string out =
      "<p class=\"js\" hidden><button type=\"button\" data-show=\"all\" "
      "aria-pressed=\"true\">all</button>";
  for (const Severity s : {Severity::error, Severity::warning, Severity::info}) {
    if (r.count(s) == 0) continue;
    out += fmt::format(
        " <button type=\"button\" data-show=\"{0}\" aria-pressed=\"false\">{0} ({1})</button>",
        results::severity_name(s), r.count(s));
  }
  return out + "</p>\n";
}

}  // namespace

std::string page_findings(const PageInput& in) {
  const results::Results& r = in.results;
  std::string out = page_heading(in, "findings", "Findings");
  if (r.findings.empty()) {
    const std::string how = depth_text(r);
    return out + fmt::format("<p>None.{}</p>\n", how.empty() ? "" : " " + html(how) + ".");
  }
  if (r.findings.size() > 3) out += filter(r);
  std::multiset<std::string> seen;
  for (const Severity s : {Severity::error, Severity::warning, Severity::info}) {
    for (const Finding& f : r.findings) {
      if (f.severity != s) continue;
      seen.insert(f.code);
      const std::size_t n = seen.count(f.code);
      out += finding(in, f, in.prefix + f.code + (n == 1 ? "" : fmt::format("-{}", n)));
    }
  }
  return out;
}

}  // namespace ckpt::reports
