#pragma once

#include <optional>
#include <vector>

#include "validator/weights/model.h"
#include "validator/weights/read_ahead.h"

namespace ckpt::forward {

/// The two checkpoints side by side.
struct Pair {
  const weights::Model& reference;
  const weights::Model& candidate;
};

/// Index of `layers.{layer}.{name}` of a model. Errors: not_found.
[[nodiscard]] Result<std::uint32_t> layer_module(const weights::Model& model, int layer,
                                                 std::string_view name);
/// Index of the embedding, the final norm, or the head (the embedding when tied).
[[nodiscard]] Result<std::uint32_t> embedding_module(const weights::Model& model);
[[nodiscard]] Result<std::uint32_t> norm_module(const weights::Model& model);
[[nodiscard]] Result<std::uint32_t> head_module(const weights::Model& model);

/// Every module that the layers take, in order: per layer the mixer of the reference and of the
/// candidate, both post-attention norms, then the second half (see mlp.h). At the end both final
/// norms. Of `layers` only, and the final norms with `head`. Errors: not_found; and whatever
/// Model::check says, so that nothing fails halfway.
[[nodiscard]] Result<std::vector<weights::Request>> layer_requests(const Pair& pair,
                                                                   const config::TextConfig& config,
                                                                   std::span<const int> layers,
                                                                   bool head);
/// 0, 1, ... of all layers.
[[nodiscard]] std::vector<int> all_layers(const config::TextConfig& config);

/// The same for one model alone: what run_solo() takes, in order.
[[nodiscard]] Result<std::vector<weights::Request>> solo_requests(const weights::Model& model,
                                                                  const config::TextConfig& config);

}  // namespace ckpt::forward
