#pragma once

#include <string>
#include <utility>
#include <vector>

#include "validator/forward/journal.h"

namespace ckpt::pipeline {

/// The hidden states of a place that are worth keeping or handing on, by name.
[[nodiscard]] std::vector<std::pair<std::string, kernels::Rows>> kept_states(
    const forward::StateView& states);

}  // namespace ckpt::pipeline
