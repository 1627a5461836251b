#include "reports/formats.h"

#include <algorithm>

namespace ckpt::reports {
namespace {

Result<std::string> render_text(const ResultsList& all, const Options& options) {
  std::string out;
  for (const results::Results& r : all) out += (out.empty() ? "" : "\n") + text(r, options.text);
  return out;
}

Result<std::string> render_concise(const ResultsList& all, const Options&) {
  std::string out;
  for (const results::Results& r : all) out += concise(r);
  return out;
}

Result<std::string> render_json(const ResultsList& all, const Options&) {
  return results::to_json(all);
}

Result<std::string> render_jsonl(const ResultsList& all, const Options&) {
  return results::to_json_lines(all);
}

constexpr Format kFormats[] = {
    {"text", "the screen", render_text},
    {"concise", "one line a finding", render_concise},
    {"json", "the results, for programs", render_json},
    {"jsonl", "one finding a line", render_jsonl},
    {"sarif", "SARIF 2.1.0, for code scanning", render_sarif},
    {"junit", "JUnit XML, for test dashboards", render_junit},
    {"codequality", "GitLab code quality", render_codequality},
    {"github", "annotations in a GitHub job's log", render_github},
    {"markdown", "a comment on a pull request", render_markdown},
    {"card", "a block for the model card (--update)", render_card},
    {"html", "one page to look at and to link to", render_html},
    {"csv", "a table (--table)", render_csv},
    {"svg", "a figure (--figure)", render_svg},
};

}  // namespace

std::span<const Format> formats() {
  return kFormats;
}

const Format* find_format(std::string_view name) {
  const auto* found = std::ranges::find(kFormats, name, &Format::name);
  return found == std::end(kFormats) ? nullptr : found;
}

std::string format_names() {
  std::string out;
  for (const Format& f : kFormats) out += (out.empty() ? "" : ", ") + std::string(f.name);
  return out;
}

const RuleText* find_rule(const Options& options, std::string_view code) {
  const auto found = std::ranges::find(options.rules, code, &RuleText::code);
  return found == options.rules.end() ? nullptr : &*found;
}

}  // namespace ckpt::reports
