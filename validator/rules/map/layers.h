#pragma once
// Layers as a whole: which store another kind of attention, or another number of experts, than the
// config says. One cause, so that the thousands of tensors that follow are not reported one by one.

#include <map>
#include <set>

#include "validator/rules/places.h"

namespace ckpt::rules {

/// Layers that store linear attention where `layer_types` says full, or the reverse.
[[nodiscard]] std::set<int> layers_of_wrong_kind(const RuleInput& in);

/// Layers with another number of experts than the config, while some layer has that number; empty
/// when all differ alike (then the config is wrong).
[[nodiscard]] std::map<int, std::uint64_t> layers_with_other_counts(const RuleInput& in);

}  // namespace ckpt::rules
