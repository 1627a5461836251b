#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "kernels/ops.h"
#include "validator/results/results.h"

namespace ckpt::metrics {

/// Remembers the positions with the largest KL while they stream by. Ties go to the earlier one, so
/// the choice depends on neither chunks nor threads. Used from one thread.
class WorstPositions {
 public:
  void add(std::span<const kernels::Divergence> positions);

  /// KL over the evaluated text. `kl`: of every position that was added; `lengths`: positions of
  /// each sequence, which add up to kl.size(). The text of tokens is left to who has a tokenizer;
  /// contexts are as long as the tokens that will be named.
  [[nodiscard]] results::OverText finish(std::span<const double> kl,
                                         std::span<const std::uint64_t> lengths) const;

 private:
  struct Kept {
    std::uint64_t index = 0;
    kernels::Divergence divergence;
  };

  std::vector<Kept> kept_;
  std::uint64_t seen_ = 0;

  static void trim(std::vector<Kept>& kept);
};

}  // namespace ckpt::metrics
