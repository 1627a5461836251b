#pragma once
// What a layer does to the variants, while the weights of both sides are at hand.

#include <vector>

#include "validator/forward/mixer.h"
#include "validator/forward/moe_parts.h"
#include "validator/forward/variants.h"

namespace ckpt::forward {

/// Norm weights of both sides, [H].
struct NormPair {
  std::vector<float> reference;
  std::vector<float> candidate;

  [[nodiscard]] const std::vector<float>& of(Stream s) const {
    return s == Stream::reference ? reference : candidate;
  }
};

/// y = norm(x) by a decoder layer's or the final norm.
[[nodiscard]] Result<void> run_norm(const Context& context, std::span<const float> weight,
                                    const kernels::Rows& x, const kernels::Rows& y);

/// x += mixer(x) of every living variant for the sequences that `starts` marks.
[[nodiscard]] Result<void> mix_variants(const Context& context, VariantStates& states, int layer,
                                        config::LayerType type, const MixerWeights& reference,
                                        const MixerWeights& candidate,
                                        std::span<const std::int64_t> starts, std::int64_t row,
                                        std::int64_t count);

/// x += mlp(norm(x)) of every living variant, dense layers; `block` rows at a time.
[[nodiscard]] Result<void> dense_variants(const Context& context, VariantStates& states, int layer,
                                          const MlpWeights& reference, const MlpWeights& candidate,
                                          const NormPair& norm, std::int64_t block);

/// The same for a mixture of experts, in the order in which its weights stream by: route(), then
/// expert() for each, then finish().
class VariantMoe {
 public:
  VariantMoe(const Context& context, VariantStates& states, int layer, const NormPair& norm,
             std::int64_t block)
      : ctx_(context), states_(states), layer_(layer), norm_(norm), block_(block) {}

  [[nodiscard]] Result<void> route(const Linear& reference, const Linear& candidate);
  [[nodiscard]] Result<void> expert(std::size_t e, const MlpWeights& reference,
                                    const MlpWeights& candidate);
  [[nodiscard]] Result<void> finish(const MoeWeights& reference, const MoeWeights& candidate);

 private:
  /// Tokens of one variant that the expert at hand sees.
  struct Segment {
    std::size_t variant = 0;
    Stretch tokens;
  };

  [[nodiscard]] Result<void> run_batch(const MlpWeights& weights, std::span<const Segment> segments,
                                       std::int64_t rows);

  const Context& ctx_;
  VariantStates& states_;
  int layer_;
  const NormPair& norm_;
  std::int64_t block_;
  std::vector<Routing> routing_;
};

}  // namespace ckpt::forward
