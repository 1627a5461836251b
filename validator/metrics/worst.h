#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "kernels/ops.h"

namespace ckpt::metrics {

/// How many positions with the largest KL are kept, and how many tokens of each distribution there.
inline constexpr std::size_t kWorstPositions = 32;
inline constexpr std::size_t kTopTokens = 5;

/// The likeliest tokens of one distribution, the likeliest first, the lower id among equals; -1
/// where there is none. Plain data, as records are files.
struct TopTokens {
  std::array<std::int32_t, kTopTokens> id{-1, -1, -1, -1, -1};
  std::array<float, kTopTokens> logit{};
};

/// What both models predict at a position; `index` counts over all sequences.
struct TopPair {
  std::uint64_t index = 0;
  TopTokens reference;
  TopTokens candidate;
};

/// Of one row of logits; what is no number is left out.
[[nodiscard]] TopTokens top_tokens(std::span<const float> logits);

/// The `indices` of `positions` whose KL is largest, the largest first and the earlier one among
/// equals, at most kWorstPositions; KL that is not finite is left out. Exact under any cut: the
/// worst of the worst of two parts are the worst of both.
void keep_worst(std::vector<std::uint64_t>& indices,
                std::span<const kernels::Divergence> positions);

/// The same for pairs that were read there.
void keep_worst(std::vector<TopPair>& pairs, std::span<const kernels::Divergence> positions);

}  // namespace ckpt::metrics
