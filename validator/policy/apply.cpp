#include "validator/policy/apply.h"

#include <fmt/format.h>

#include <algorithm>

#include "validator/base/glob.h"
#include "validator/base/text.h"
#include "validator/rules/rule.h"

namespace ckpt::policy {
namespace {

constexpr Day kSoon = 14;

rules::Draft about(const Waiver& w, const Settings& s, std::string message) {
  rules::Draft d;
  d.message = std::move(message);
  d.subject = fmt::format("{} {}", w.code, shown(w.subject, 80));
  results::Location place;
  place.file = shown(s.file, 1000);
  place.line = w.line;
  place.column = 1;
  place.end_line = w.line;
  place.end_column = 2;
  d.where.push_back(std::move(place));
  return d;
}

}  // namespace

void apply_severities(results::Results& results,
                      const std::map<std::string, results::Severity>& severity) {
  for (results::Finding& f : results.findings) {
    if (const auto it = severity.find(f.code); it != severity.end()) f.severity = it->second;
  }
}

void apply_waivers(results::Results& results, const Settings& settings, Day now) {
  std::vector<results::Finding> added;
  const auto add = [&added](std::string_view code, rules::Draft draft) {
    draft.fix = std::string(rules::find_rule(code)->fix);
    added.push_back(rules::make_finding(code, std::move(draft)));
  };
  for (const Waiver& w : settings.waivers) {
    const bool expired = w.expires && *w.expires < now;
    const std::string until = w.expires ? day_text(*w.expires) : "never";
    const bool fixed = rules::find_rule(w.code)->unwaivable;
    std::uint64_t matched = 0;
    for (results::Finding& f : results.findings) {
      if (f.code != w.code || !glob_matches(w.subject, f.subject)) continue;
      ++matched;
      if (expired || fixed) continue;
      f.status = "waived";
      f.waiver = results::Waived{shown(w.reason, 1000), until};
    }
    const bool skipped =
        std::ranges::find(results.rules_skipped, w.code, &results::Incomplete::what) !=
        results.rules_skipped.end();
    if (matched == 0 && skipped) continue;
    if (matched == 0) {
      add("WVR003", about(w, settings, fmt::format("the waiver of {} matches no finding", w.code)));
    } else if (fixed) {
      add("WVR004", about(w, settings, fmt::format("{} cannot be waived", w.code)));
    } else if (expired) {
      add("WVR001",
          about(w, settings, fmt::format("the waiver of {} has expired on {}", w.code, until)));
    } else if (w.expires && *w.expires - now <= kSoon) {
      add("WVR002",
          about(w, settings, fmt::format("the waiver of {} expires on {}", w.code, until)));
    }
  }
  for (results::Finding& f : added) results.findings.push_back(std::move(f));
}

}  // namespace ckpt::policy
