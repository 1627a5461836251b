#pragma once
// The token mixers of a layer: gated attention and gated delta net, each with its input norm.

#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "validator/forward/context.h"
#include "validator/forward/linear.h"

namespace ckpt::forward {

/// Weights of a full-attention layer's mixer (architecture 3.4).
struct AttentionWeights {
  std::vector<float> input_norm;  ///< [H]
  std::vector<float> q_norm;      ///< [D]
  std::vector<float> k_norm;      ///< [D]
  Linear q_proj;                  ///< [2 nh D, H]: per head D query rows, then D gate rows
  Linear k_proj;                  ///< [nkv D, H]
  Linear v_proj;                  ///< [nkv D, H]
  Linear o_proj;                  ///< [H, nh D]
};

/// Weights of a gated delta net (architecture 3.5); A_log, dt_bias and the norm as stored.
struct DeltaNetWeights {
  std::vector<float> input_norm;  ///< [H]
  std::vector<float> conv;        ///< [C, W]
  std::vector<float> a_log;       ///< [nv]
  std::vector<float> dt_bias;     ///< [nv]
  std::vector<float> norm;        ///< [dv]
  Linear in_proj_qkv;             ///< [C, H]
  Linear in_proj_z;               ///< [nv dv, H]
  Linear in_proj_b;               ///< [nv, H]
  Linear in_proj_a;               ///< [nv, H]
  Linear out_proj;                ///< [H, nv dv]
};

/// One mixer's weights; exactly one of the two is set.
struct MixerWeights {
  std::optional<AttentionWeights> attention;
  std::optional<DeltaNetWeights> delta_net;
};

/// Module names below the layer, in the order in which load_mixer takes them from the feed.
[[nodiscard]] std::span<const std::string_view> mixer_modules(config::LayerType type);
/// Takes one mixer's modules from the feed.
[[nodiscard]] Result<MixerWeights> load_mixer(config::LayerType type, WeightFeed& feed);
/// True when both compute the same bits.
[[nodiscard]] bool same_weights(const MixerWeights& a, const MixerWeights& b);

/// out = mixer(norm(x)) for the sequences that `starts` marks in x; x, out [T, H].
[[nodiscard]] Result<void> run_mixer(const Context& context, const MixerWeights& weights,
                                     const kernels::Rows& x, std::span<const std::int64_t> starts,
                                     const TapSource& tap, const kernels::Rows& out);
[[nodiscard]] Result<void> run_attention(const Context& context, const AttentionWeights& weights,
                                         const kernels::Rows& x,
                                         std::span<const std::int64_t> starts, const TapSource& tap,
                                         const kernels::Rows& out);
[[nodiscard]] Result<void> run_delta_net(const Context& context, const DeltaNetWeights& weights,
                                         const kernels::Rows& x,
                                         std::span<const std::int64_t> starts, const TapSource& tap,
                                         const kernels::Rows& out);
/// Floats of workspace per token of the larger mixer.
[[nodiscard]] std::int64_t mixer_floats(const config::TextConfig& config);

}  // namespace ckpt::forward
