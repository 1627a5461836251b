#pragma once

#include <array>
#include <cstdint>
#include <limits>

#include "validator/weights/parameter.h"

namespace ckpt::weights {

/// The values of one weight, decoded to f32; sums in f64.
struct WeightSummary {
  static constexpr std::size_t kBins = 41;  ///< odd: the middle one is around 0

  std::uint64_t elements = 0;
  std::uint64_t nan = 0;
  std::uint64_t inf = 0;
  std::uint64_t zeros = 0;
  double min = std::numeric_limits<double>::infinity();  ///< of the finite ones
  double max = -std::numeric_limits<double>::infinity();
  double mean = 0;
  double deviation = 0;
  /// Counts over equal bins of [-limit, limit], limit the largest finite magnitude.
  double limit = 0;
  std::array<std::uint64_t, kBins> histogram{};
};

/// Reads the weight twice, a block of rows at a time. Errors: as Parameter::decode.
[[nodiscard]] Result<WeightSummary> summarize(const Parameter& weight);

}  // namespace ckpt::weights
