#pragma once
// What commands that hold a checkpoint against its base share.

#include <string_view>

#include "validator/arch/blueprint.h"

namespace ckpt::pipeline {

/// Above this a decoded weight is another weight: 2-bit quantization stays below 0.6, two unrelated
/// matrices of one scale differ by 1.4. In units of ||W - W_base||_F / ||W_base||_F.
inline constexpr double kOtherWeight = 0.8;

/// The name after `model.` or `model.language_model.`: the same in both model classes.
[[nodiscard]] inline std::string_view name_tail(const arch::Blueprint& blueprint,
                                                const arch::Module& module) {
  std::string_view name = module.name;
  if (name.starts_with(blueprint.text_prefix())) name.remove_prefix(blueprint.text_prefix().size());
  return name;
}

/// A norm `w` of the form x * (1 + w), stored as BF16(1 + w) and back, as llm-compressor does.
[[nodiscard]] float offset_norm_round_trip(float w);

/// `value` as a plain tensor of `dtype` would hold it.
[[nodiscard]] float rounded_to(float value, Dtype dtype);

}  // namespace ckpt::pipeline
