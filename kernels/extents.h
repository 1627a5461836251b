#pragma once
// Whether the views of a call fit together; every backend asks before it touches memory.

#include <string_view>

#include "kernels/ops.h"

namespace ckpt::kernels {

/// Also whether the bytes suffice for what the layout says, and g_idx names groups that exist. The
/// spans must be host memory.
[[nodiscard]] bool fits(const MatrixView& view);
[[nodiscard]] bool fits(const GemmArgs& args);
[[nodiscard]] bool fits(const GroupedGemmArgs& args);
[[nodiscard]] bool fits(const NormArgs& args);
[[nodiscard]] bool fits(const LayerNormArgs& args);
[[nodiscard]] bool fits(const RopeArgs& args);
[[nodiscard]] bool fits(const AttentionArgs& args);
[[nodiscard]] bool fits(const GateArgs& args);
[[nodiscard]] bool fits(const ConvArgs& args);
[[nodiscard]] bool fits(const DeltaRuleArgs& args);
[[nodiscard]] bool fits(const GatedNormArgs& args);
[[nodiscard]] bool fits(const RouteArgs& args);
[[nodiscard]] bool fits(const MoeCombineArgs& args);
[[nodiscard]] bool fits(const DivergenceArgs& args);
/// Two activations of equal extents.
[[nodiscard]] bool fits(const Rows& a, const Rows& b);

/// The error of a call whose views do not fit.
[[nodiscard]] tl::unexpected<Error> bad_extents(std::string_view op);

}  // namespace ckpt::kernels
