#pragma once

#include <span>
#include <string>
#include <vector>

#include "validator/results/results.h"

namespace ckpt::metrics {

/// One candidate of a comparison: KL per position on the same positions as all the others.
struct Contender {
  std::string target;
  std::uint64_t bytes = 0;
  std::span<const double> kl;
};

/// The candidates by mean KL, best first. The gap to the one before is the mean of the differences
/// position by position, with a bootstrap over whole sequences: two that differ less than their own
/// intervals may still be apart. Positions that are not finite on either side are left out.
[[nodiscard]] std::vector<results::Ranked> rank(std::span<const Contender> contenders,
                                                std::span<const std::uint64_t> lengths,
                                                std::uint64_t seed = 0);

}  // namespace ckpt::metrics
