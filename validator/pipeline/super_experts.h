#pragma once

#include "validator/pipeline/opened.h"
#include "validator/results/results.h"

namespace ckpt::pipeline {

/// Finds detected super-experts that the candidate stores as narrowly as its narrowest routed
/// experts (NUM006): a warning where the candidate stores some experts wider, else said as info.
/// Experts that fewer than 32 tokens were routed to prove nothing and are left out.
void judge_super_experts(const OpenedRepo& candidate, results::Results& results);

}  // namespace ckpt::pipeline
