#pragma once
// What the rules about stored values share.

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "validator/rules/places.h"

namespace ckpt::rules {

/// One kind of wrong tensor.
struct FactReport {
  std::function<bool(const ValueFact&)> wrong;
  std::function<std::string(const ValueFact&)> message;  ///< what is wrong with one tensor
  std::vector<results::Effect> effects;
  std::string fix;
};

/// Emits one finding for all tensors that are wrong, with the message of the first.
void report_facts(const RuleInput& in, const Emit& emit, const FactReport& report);

/// Emits one finding for scales, or for all other floats, that are NaN or infinite.
void report_not_finite(const RuleInput& in, const Emit& emit, bool scales, const std::string& fix);

/// The fact of a tensor (index or -1), or null when it was not read.
[[nodiscard]] const ValueFact* fact_of(const RuleInput& in, std::int32_t tensor);

/// One of several tensors that should be alike, and the magnitude to compare.
struct Sibling {
  std::uint32_t tensor = 0;
  double value = 0;
};

/// The mean magnitude of a module's scales, when they were read.
[[nodiscard]] std::optional<Sibling> scale_level(const RuleInput& in, std::uint32_t module);

/// True when the fact is about packed words, not about zero points.
[[nodiscard]] bool is_words(const RuleInput& in, const ValueFact& fact);

/// True when packed words carry less than half of the information that they could.
[[nodiscard]] bool degenerate(const RuleInput& in, const ValueFact& fact);

/// Siblings whose value is more than `factor` times, or less than 1/`factor` of, the median of all,
/// and more than 20 robust deviations of the logarithm from it.
[[nodiscard]] std::vector<Sibling> outliers(std::vector<Sibling> siblings, double factor);

}  // namespace ckpt::rules
