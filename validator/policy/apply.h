#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "validator/policy/settings.h"

namespace ckpt::policy {

/// Gives findings the severities a project chose.
void apply_severities(results::Results& results,
                      const std::map<std::string, results::Severity>& severity);

/// Marks what `settings` waives and adds the findings about the waivers themselves: WVR001 expired,
/// WVR002 expires within 14 days, WVR003 matched nothing, WVR004 of a rule that cannot be waived. A
/// waiver of a rule in `rules_skipped` is not said to match nothing. Waivers of rules that this run
/// does not look at at all are for the caller to leave out.
void apply_waivers(results::Results& results, const Settings& settings, Day now);

/// A baseline: the findings of a run, by fingerprint, as JSON.
[[nodiscard]] std::string write_baseline(const results::Results& results);

/// Marks findings of the baseline `known`, unless their count or severity has risen, and notes
/// those that are gone. Errors: format.
[[nodiscard]] Result<void> apply_baseline(results::Results& results, std::string_view baseline);

}  // namespace ckpt::policy
