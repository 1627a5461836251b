#pragma once

#include <span>
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

/// Where a token stands in time, height and width; in text all three are the same.
struct Place3 {
  std::int64_t time = 0;
  std::int64_t height = 0;
  std::int64_t width = 0;
};

/// Puts angles [rows, half] into backend memory. Errors: memory.
[[nodiscard]] Result<RopeTable> upload_rope(kernels::Ops& ops, std::span<const float> cos,
                                            std::span<const float> sin, std::int64_t half);

/// Tables with a row per place, rounded; columns take their axis in turn (mrope_section,
/// interleaved; architecture 3.3). Errors: those of rope_scaling, memory.
[[nodiscard]] Result<RopeTable> make_rope_table(kernels::Ops& ops, const config::TextConfig& config,
                                                std::span<const Place3> places,
                                                kernels::Rounding rounding);

/// Tables for positions 0 .. positions - 1 of plain text, rounded.
[[nodiscard]] Result<RopeTable> make_rope_table(kernels::Ops& ops, const config::TextConfig& config,
                                                std::int64_t positions, kernels::Rounding rounding);

}  // namespace ckpt::forward
