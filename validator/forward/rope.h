#pragma once

#include <vector>

#include "validator/forward/context.h"

namespace ckpt::forward {

/// Inverse frequencies in f32 and the factor on cosine and sine: default or YaRN (architecture 3.3,
/// transformers 5.17 modeling_rope_utils.py). Errors: unsupported (another rope type).
struct RopeScaling {
  std::vector<float> inverse_frequency;  ///< d/2
  float attention_factor = 1;
};

[[nodiscard]] Result<RopeScaling> rope_scaling(const config::TextConfig& config);

/// Tables for positions 0 .. positions - 1 of plain text, rounded.
[[nodiscard]] Result<RopeTable> make_rope_table(kernels::Ops& ops, const config::TextConfig& config,
                                                std::int64_t positions, kernels::Rounding rounding);

}  // namespace ckpt::forward
