#pragma once

#include "validator/pipeline/opened.h"
#include "validator/results/results.h"

namespace ckpt::pipeline {

/// Finds detected super-experts that the candidate stores as narrowly as its narrowest routed
/// experts although it stores others wider (NUM006). Experts that fewer than 32 tokens were routed
/// to prove nothing and are left out.
void judge_super_experts(const OpenedRepo& candidate, results::Results& results);

}  // namespace ckpt::pipeline
