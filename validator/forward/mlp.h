#pragma once
// The second half of a layer: a dense MLP, or a router with routed and shared experts. Evaluated
// for three inputs at once: reference on its own, candidate on the reference's, candidate on its
// own.

#include <optional>
#include <string>
#include <vector>

#include "validator/forward/context.h"
#include "validator/forward/linear.h"
#include "validator/forward/observer.h"

namespace ckpt::forward {

/// down(silu(gate x) * up x): an expert, a shared expert or a dense MLP.
struct MlpWeights {
  Linear gate_proj;  ///< [I, H]
  Linear up_proj;    ///< [I, H]
  Linear down_proj;  ///< [H, I]
};

/// Takes gate_proj, up_proj and down_proj from the feed, in that order.
[[nodiscard]] Result<MlpWeights> load_mlp(WeightFeed& feed);
[[nodiscard]] bool same_weights(const MlpWeights& a, const MlpWeights& b);

/// Names of the points of one MLP.
struct MlpPoints {
  Point gate, up, product, out;
};

/// Some rows of x that go through one MLP.
struct MlpGroup {
  const MlpWeights* weights = nullptr;
  std::int64_t first = 0;
  std::int64_t rows = 0;
};

/// y[rows of a group] = its mlp(x[the same rows]); the groups come in order and together fill x
/// [T, H] and y [T, H]. The taps see all rows at once. Product memory is of the workspace.
[[nodiscard]] Result<void> run_mlps(const Context& context, std::span<const MlpGroup> groups,
                                    const kernels::Rows& x, const MlpPoints& points,
                                    const TapSource& tap, const kernels::Rows& y);

/// y = mlp(x) with product memory from the workspace; x [T, H], y [T, H].
[[nodiscard]] Result<void> run_mlp(const Context& context, const MlpWeights& weights,
                                   const kernels::Rows& x, const MlpPoints& points,
                                   const TapSource& tap, const kernels::Rows& y);

/// Hidden-state memory of one pass, [tokens, H] each.
struct Hidden {
  kernels::Rows x_reference;  ///< residual streams
  kernels::Rows x_candidate;
  kernels::Rows in_reference;  ///< input of the MLP: normalised residual
  kernels::Rows in_candidate;
  kernels::Rows y_reference;  ///< output of the MLP, summed up here
  kernels::Rows y_candidate;
  kernels::Rows local;   ///< local difference, f32 sums
  kernels::Rows before;  ///< reference's residual at the layer's start
};

class VariantStates;
struct NormPair;

/// What a layer's second half needs beside the context.
struct MlpStage {
  int layer = 0;
  std::int64_t first_token = 0;  ///< of the pass, over all sequences
  std::int64_t block = 1024;     ///< rows at a time
  Taps* taps = nullptr;
  Observer* observer = nullptr;
  VariantStates* variants = nullptr;  ///< null: none are carried
  const NormPair* norm = nullptr;     ///< before this half; given with `variants`

  [[nodiscard]] TapSource tap(Stream stream, std::int64_t row) const {
    return {taps, stream, layer, first_token + row, {}};
  }
};

/// Module names below the layer, without the routed experts.
[[nodiscard]] std::span<const std::string_view> moe_modules();
[[nodiscard]] std::span<const std::string_view> dense_modules();

/// Router, routed experts and shared expert. Takes from the feed: moe_modules of the reference,
/// then of the candidate; per expert gate, up, down of the reference, then of the candidate. Sets
/// y_reference and y_candidate and adds to `local`; variants go through the whole half.
[[nodiscard]] Result<void> run_moe(const Context& context, WeightFeed& feed, const MlpStage& stage,
                                   const Hidden& hidden);
/// Dense MLP; takes dense_modules of both.
[[nodiscard]] Result<void> run_dense(const Context& context, WeightFeed& feed,
                                     const MlpStage& stage, const Hidden& hidden);

/// Floats of workspace for one block row of the larger of the two.
[[nodiscard]] std::int64_t mlp_floats(const config::TextConfig& config);

}  // namespace ckpt::forward
