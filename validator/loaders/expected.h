#pragma once

#include <optional>

#include "validator/loaders/plan.h"

namespace ckpt::loaders {

/// Last parts of the parameter names that a loader asks for, for each member of a module:
/// `qweight`, `qzeros`, `scales` (GPTQ layout, AWQ), `weight_packed`, ... (formats, 3, 4, 5, 6).
[[nodiscard]] std::vector<std::string_view> expected_members(config::QuantMethod method,
                                                             const Decision& decision);

/// How much a plan asks for: blueprint times scheme.
struct ExpectedSize {
  std::uint64_t tensors = 0;
  std::uint64_t bytes = 0;  ///< tensor bytes, headers not included
};

/// How the routed experts of trunk and draft head are spelt; the draft head may be absent.
struct ExpertSpellings {
  arch::Spelling trunk = arch::Spelling::per_expert;
  std::optional<arch::Spelling> mtp;
};

/// Tensors and bytes of a checkpoint stored as `plan` reads the config: quantized linears in the
/// GPTQ layout (qweight and qzeros I32, scales F16; formats, 3.1) or as compressed-tensors
/// (weight_packed, weight_scale, weight_shape; 5.2), all else in 16 bits. The draft head
/// counts when its spelling is given.
[[nodiscard]] ExpectedSize expected_size(const arch::Blueprint& blueprint, const LoadPlan& plan,
                                         ExpertSpellings spellings);

}  // namespace ckpt::loaders
