#pragma once

#include "validator/forward/modules.h"
#include "validator/pipeline/kl.h"

namespace ckpt::pipeline {

/// Fills NonFinite::fp32 of each first place: computes the tokens of that sequence up to the place
/// once more, without rounding, as far as the layer where it happened. The place's largest
/// magnitude is the value. Errors: as run_kl.
[[nodiscard]] Result<void> add_fp32_values(const KlArgs& args, const forward::Pair& pair,
                                           kernels::Ops& ops, results::Metrics& metrics);

}  // namespace ckpt::pipeline
