#include "validator/rules/catalogue.h"

#include <fmt/format.h>

#include "validator/rules/rule.h"

namespace ckpt::rules {
namespace {

/// Plain text as Markdown: what stands between backticks stays, elsewhere marks are escaped.
std::string escaped(std::string_view text) {
  std::string out;
  bool code = false;
  for (const char c : text) {
    if (c == '`') code = !code;
    if (!code && (c == '*' || c == '_' || c == '<' || c == '[' || c == ']' || c == '|'))
      out += '\\';
    out += c;
  }
  return out;
}

std::string_view reads(const Rule& rule) {
  if (rule.run == nullptr) return "other commands' work";
  if (rule.needs == Needs::base) return "the base";
  return rule.needs == Needs::values ? "values" : "headers, configs";
}

}  // namespace

std::string catalogue_markdown() {
  std::string out =
      "# Rules\n\nWritten by `ckpt-check rules --markdown`; a test says when it is not "
      "current. "
      "`ckpt-check explain CODE` shows\none of them.\n\n"
      "| code | name | severity | reads | repair |\n|---|---|---|---|---|\n";
  for (const Rule* r : all_rules()) {
    out +=
        fmt::format("| {} | {} | {} | {} | {} |\n", r->code, r->name,
                    results::severity_name(r->severity), reads(*r), r->repairable ? "`fix`" : "");
  }
  for (const Rule* r : all_rules()) {
    out += fmt::format("\n## {} {}\n\n{}\n\n{}\n\n", r->code, r->name, escaped(r->what),
                       escaped(r->why));
    out += fmt::format("- fails: {}\n- passes: {}\n- to fix: {}\n- sources: {}\n", escaped(r->bad),
                       escaped(r->good), escaped(r->fix), escaped(r->sources));
  }
  return out;
}

}  // namespace ckpt::rules
