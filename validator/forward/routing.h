#pragma once
// Which tokens go to which expert, in the order in which experts are streamed.

#include <cstdint>
#include <span>
#include <vector>

namespace ckpt::forward {

/// A stretch of the tokens of one expert.
struct Stretch {
  std::span<const std::int64_t> token;
  std::span<const float> gate;

  [[nodiscard]] std::int64_t rows() const { return static_cast<std::int64_t>(token.size()); }
};

/// Choice of experts for every token of the pass, and the same sorted by expert.
struct Routing {
  std::vector<std::int32_t> ids;    ///< [T, K]
  std::vector<float> weights;       ///< [T, K]
  std::vector<float> margins;       ///< [T]
  std::vector<std::size_t> begin;   ///< [E + 1] into the next two
  std::vector<std::int64_t> token;  ///< ascending within an expert
  std::vector<float> gate;

  void resize(std::size_t tokens, std::size_t top_k);
  void sort_by_expert(std::size_t experts, std::size_t top_k);

  /// Tokens of an expert, and of several that follow each other.
  [[nodiscard]] std::int64_t count(std::size_t expert) const {
    return static_cast<std::int64_t>(begin[expert + 1] - begin[expert]);
  }

  [[nodiscard]] Stretch tokens_of(std::size_t first_expert, std::size_t end_expert) const;
  /// Tokens [first, first + count) of an expert, as far as there are any.
  [[nodiscard]] Stretch stretch(std::size_t expert, std::size_t first, std::size_t count) const;
};

}  // namespace ckpt::forward
