#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "validator/base/text.h"
#include "validator/cli/options.h"
#include "validator/rules/catalogue.h"
#include "validator/rules/rule.h"

namespace ckpt::cli {
namespace {

nlohmann::ordered_json rule_json(const rules::Rule& r) {
  return {{"code", r.code},
          {"name", r.name},
          {"severity", results::severity_name(r.severity)},
          {"group", r.code.substr(0, 3)},
          {"status", rules::status_name(r.status)},
          {"since", r.since},
          {"repairable", r.repairable},
          {"what", r.what},
          {"why", r.why},
          {"fails", r.bad},
          {"passes", r.good},
          {"fix", r.fix},
          {"sources", r.sources}};
}

/// By its code, or by the name that findings print.
const rules::Rule* rule_of(const std::string& text) {
  const rules::Rule* rule = rules::find_rule(text);
  const auto all = rules::all_rules();
  const auto named = std::ranges::find(all, text, &rules::Rule::name);
  return rule == nullptr && named != all.end() ? *named : rule;
}

int finish(const Result<void>& written) {
  if (written) return 0;
  complain(written.error().message);
  return 2;
}

}  // namespace

std::string no_such_code(const std::string& text) {
  std::vector<std::string> known;
  for (const rules::Rule* r : rules::all_rules()) {
    if (!text.empty() && r->code.starts_with(text)) return {};
    known.emplace_back(r->code);
  }
  std::string upper = text;
  for (char& c : upper) {
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  }
  const std::string_view near = nearest(upper, known);
  return fmt::format("unknown rule `{}`{} `ckpt-check rules` lists all", shown(text, 40),
                     near.empty() ? ";" : fmt::format(", did you mean {}?", near));
}

int run_explain_command(const std::vector<std::string>& codes, bool json) {
  std::string out;
  nlohmann::ordered_json list = nlohmann::ordered_json::array();
  for (const std::string& code : codes) {
    const rules::Rule* rule = rule_of(code);
    if (rule == nullptr) {
      complain(no_such_code(code));
      return 2;
    }
    if (json) {
      list.push_back(rule_json(*rule));
    } else {
      out += (out.empty() ? "" : "\n") + rules::explain_text(*rule);
    }
  }
  return finish(write_stdout(json ? list.dump(2) + "\n" : out));
}

int run_rules_command(const std::vector<std::string>& select, bool json, bool markdown) {
  if (markdown) return finish(write_stdout(rules::catalogue_markdown()));
  std::string out;
  nlohmann::ordered_json list = nlohmann::ordered_json::array();
  for (const rules::Rule* r : rules::all_rules()) {
    const bool wanted = select.empty() || std::ranges::any_of(select, [r](const std::string& s) {
                          return r->code.starts_with(s);
                        });
    if (!wanted) continue;
    if (json) {
      list.push_back(rule_json(*r));
    } else {
      out +=
          fmt::format("{}  {:<8} {:<11} {:<8} {}\n", r->code, results::severity_name(r->severity),
                      r->repairable ? "repairable" : "", rules::status_name(r->status), r->name);
    }
  }
  return finish(write_stdout(json ? list.dump(2) + "\n" : out));
}

}  // namespace ckpt::cli
