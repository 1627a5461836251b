#pragma once
// The parts of a mixture of experts that the two main streams and the variants share.

#include "validator/forward/mlp.h"
#include "validator/forward/routing.h"

namespace ckpt::forward {

/// A layer's experts without the routed ones.
struct MoeWeights {
  Linear router;
  MlpWeights shared;
  Linear shared_gate;
};

/// Takes moe_modules() of one side from the feed.
[[nodiscard]] Result<MoeWeights> load_moe(WeightFeed& feed);

/// Output of the shared expert, before its gate is applied.
struct SharedOutput {
  kernels::Rows y;     ///< [T, H]
  kernels::Rows gate;  ///< [T, 1], before the sigmoid
};

inline constexpr MlpPoints kExpertPoints{Point::expert_gate, Point::expert_up,
                                         Point::expert_product, Point::expert_out};

/// Routes x, whose first row is row `row` of `to`.
[[nodiscard]] Result<void> route_rows(const Context& context, const Linear& router,
                                      const kernels::Rows& x, std::int64_t row, Routing& to,
                                      const TapSource& tap);
/// Shared expert and its gate on x, from the workspace of the caller's scope.
[[nodiscard]] Result<SharedOutput> run_shared(const Context& context, const MoeWeights& weights,
                                              const kernels::Rows& x, const TapSource& tap);
/// routed = routed + gated shared output, with the roundings of the block's output.
[[nodiscard]] Result<void> combine_shared(const Context& context, const SharedOutput& shared,
                                          const kernels::Rows& routed, const TapSource& tap);

}  // namespace ckpt::forward
