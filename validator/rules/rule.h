#pragma once
// A rule is its documentation plus one function. The registry is the single source for `rules`,
// `explain`, the reports' metadata and the checks on waivers.

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "validator/results/results.h"
#include "validator/rules/input.h"

namespace ckpt::rules {

/// Life cycle: new rules start as preview; a code, once released, is never reused.
enum class Status : std::uint8_t { preview, stable, deprecated };
[[nodiscard]] std::string_view status_name(Status status);

/// What a rule must have before it can run.
enum class Needs : std::uint8_t { headers, values, forward, base, settings };

/// One occurrence as a rule reports it; code, name and severity come from the rule.
struct Draft {
  std::string message;  ///< a fact, lower case, at most 80 characters, names in backticks
  std::string subject;
  std::uint64_t count = 1;
  std::vector<results::Location> where;
  std::vector<results::Effect> effects;
  std::string fix;
  std::vector<results::Edit> edits;  ///< the same as steps; with some, the finding is repairable
  std::optional<results::Severity> severity;  ///< other than the rule's, derived from the effect
};

using Emit = std::function<void(Draft)>;

struct Rule {
  std::string_view code;
  std::string_view name;  ///< what is flagged, not the remedy
  results::Severity severity = results::Severity::error;
  Needs needs = Needs::headers;
  bool repairable = false;
  bool unwaivable = false;  ///< about safety: no waiver counts
  Status status = Status::stable;
  std::string_view since = "0.1.0";
  std::string_view what;  ///< what it checks
  std::string_view why;   ///< which loader does what, and what one sees
  std::string_view bad;   ///< a failing example
  std::string_view good;  ///< a passing example
  std::string_view fix;
  std::string_view sources;
  /// Null where the finding is made elsewhere: with a forward pass or a base checkpoint at hand.
  void (*run)(const RuleInput& in, const Emit& emit) = nullptr;
};

/// All rules, ordered by group and code.
[[nodiscard]] std::span<const Rule* const> all_rules();
[[nodiscard]] const Rule* find_rule(std::string_view code);

/// Runs every rule whose needs are met and returns the findings, unsorted. `skipped` receives the
/// codes that could not run and why, `ran` those that ran.
[[nodiscard]] std::vector<results::Finding> run_rules(RuleInput& in,
                                                      std::vector<results::Incomplete>& skipped,
                                                      std::vector<std::string>& ran);

/// A finding of a known rule, made outside run_rules.
[[nodiscard]] results::Finding make_finding(std::string_view code, Draft draft);

/// Whether a run of `check` looks at this rule: made here, and not in preview unless that is asked.
[[nodiscard]] bool is_run(const Rule& rule, bool preview);

/// The `explain` page of one rule, plain text of at most 100 columns.
[[nodiscard]] std::string explain_text(const Rule& rule);

}  // namespace ckpt::rules
