#pragma once
// Runs that several rules share: what differs between them is a class, a spelling or a predicate.

#include <string>

#include "validator/loaders/pattern.h"
#include "validator/rules/places.h"

namespace ckpt::rules {

/// All modules stored quantized.
[[nodiscard]] std::vector<std::uint32_t> packed_modules(const RuleInput& in);

/// The plan of a loader, or null when it is not predicted or the config is refused as a whole.
[[nodiscard]] const loaders::LoadPlan* plan_of(const RuleInput& in, loaders::Loader loader);

/// Emits one finding when modules of `cls` are stored quantized.
void report_quantized_class(const RuleInput& in, const Emit& emit, arch::ModuleClass cls,
                            bool with_effects, const std::string& fix);

/// Emits one finding when experts are stored under `spelling` (with `packed_only`: quantized ones).
void report_spelling(const RuleInput& in, const Emit& emit, arch::Spelling spelling,
                     bool packed_only, const std::string& fix);

/// Emits one finding per pattern of the quantization config with `problem`.
void report_patterns(const RuleInput& in, const Emit& emit, loaders::PatternProblem problem,
                     const std::string& words, const std::string& fix);

/// Emits one finding for all quantized modules whose stored form contradicts the config.
/// `field`: the config's field to point at.
struct Mismatch {
  std::string field;
  std::function<bool(const quant::Stored&, const loaders::Decision&, const Shape&)> differs;
  std::function<std::string(std::size_t, const quant::Stored&, const loaders::Decision&)> message;
  std::function<std::int64_t(const quant::Stored&)> stored_value;
};

void report_mismatch(const RuleInput& in, const Emit& emit, const Mismatch& mismatch);

/// Emits one finding for modules whose sizes some kernel does not take, if there are any; `words`
/// say what they are and follow their number.
struct OddSizes {
  std::vector<std::uint32_t> modules;
  std::string words;
  std::vector<results::Effect> effects;
  std::string fix;
};

void report_sizes(const RuleInput& in, const Emit& emit, const OddSizes& odd);

/// Emits one finding per loader and exception type that plans raise; kernel limits
/// (NotImplementedError) or contradictions (all others).
void report_raises(const RuleInput& in, const Emit& emit, bool kernel_limits,
                   const std::string& fix);

}  // namespace ckpt::rules
