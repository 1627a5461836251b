#pragma once

#include <string>
#include <vector>

#include "validator/base/result.h"
#include "validator/results/results.h"

namespace ckpt::pipeline {

/// `kl.mean<=0.014` as a gate still to be judged. Errors: usage (form, unknown name, no number).
[[nodiscard]] Result<results::Gate> parse_gate(const std::string& text);

/// Judges each gate against the metrics of `results` and adds a finding (NUM001 to NUM004) for each
/// that fails; non-finite values of the candidate are a finding without any gate. A mean with an
/// interval passes or fails only when the whole interval does: between, it is inconclusive.
void judge_gates(results::Results& results);

}  // namespace ckpt::pipeline
