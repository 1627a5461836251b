#pragma once
// What the rules that compare with a base share.

#include <functional>
#include <string>
#include <vector>

#include "validator/rules/places.h"

namespace ckpt::rules {

/// One finding for all modules whose fact is `wrong`; `draft` brings message, effects and fix and
/// gets subject, count and places. Nothing is emitted when there is none. `message` gets the first
/// of them and their number.
struct BaseReport {
  std::function<bool(const BaseFact&)> wrong;
  std::function<std::string(const BaseFact&, std::size_t)> message;
  std::vector<results::Effect> effects;
  std::string fix;
  std::optional<results::Severity> severity;
};

void report_base_facts(const RuleInput& in, const Emit& emit, const BaseReport& report);

}  // namespace ckpt::rules
