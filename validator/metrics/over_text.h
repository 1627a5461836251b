#pragma once

#include <span>

#include "validator/metrics/record.h"
#include "validator/results/results.h"

namespace ckpt::metrics {

/// KL over the evaluated text: curves, histogram, and the worst positions with what both models
/// predict there, as far as the record has it. `kl`: of every position of the record. The text of
/// tokens is left to who has a tokenizer; contexts are as long as the tokens that will be named.
[[nodiscard]] results::OverText over_text_of(const Record& record, std::span<const double> kl);

}  // namespace ckpt::metrics
