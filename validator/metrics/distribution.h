#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "validator/results/results.h"

namespace ckpt::metrics {

inline constexpr std::uint64_t kBootstrapSeed = 20'240'229;
inline constexpr int kBootstrapResamples = 2000;

/// Percentile by linear interpolation (type 7, numpy's default). `sorted` ascending, not empty;
/// `share` in [0, 1].
[[nodiscard]] double percentile(std::span<const double> sorted, double share);

/// Summary of one value per position. `lengths` are the positions of each sequence, in order; they
/// add up to values.size(). Non-finite values are counted and left out of everything else. The
/// standard error is clustered by sequence, the interval a percentile bootstrap of 2,000 resamples
/// of whole sequences that `seed` decides; a single sequence is cut into blocks of 256 positions
/// (or eighths when shorter) that stand for sequences. Metrics, section 4.
[[nodiscard]] results::Distribution summarize(std::span<const double> values,
                                              std::span<const std::uint64_t> lengths,
                                              std::uint64_t seed = 0);

}  // namespace ckpt::metrics
