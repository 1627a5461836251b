#pragma once

#include <string>

#include "validator/rules/places.h"

namespace ckpt::rules {

/// Emits one finding for all unquantized tensors of `dtype` in a model whose config says bfloat16,
/// but for those that releases keep in F32.
void report_plain_dtype(const RuleInput& in, const Emit& emit, Dtype dtype, const std::string& fix);

}  // namespace ckpt::rules
