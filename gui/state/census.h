#pragma once
// What the values of one matrix are: counts by magnitude, and where those are that are no numbers.

#include <array>
#include <cstdint>
#include <optional>
#include <stop_token>
#include <utility>
#include <vector>

#include "gui/state/matrix.h"
#include "gui/state/selection.h"

namespace ckpt::gui {

/// One pass over a matrix. Values are counted by the upper 16 bits of their float32 (sign,
/// exponent, 7 bits of mantissa), so that quantiles are exact to one part in 128.
struct Census {
  std::uint64_t count = 0;
  std::uint64_t nan = 0;
  std::uint64_t plus_inf = 0;
  std::uint64_t minus_inf = 0;
  std::uint64_t zero = 0;
  float low = 0;  ///< of the finite values
  float high = 0;
  double sum = 0;
  double square_sum = 0;
  std::vector<std::uint64_t> bins;  ///< 65,536, by the upper bits
  std::vector<Cell> specials;       ///< the first kSpecials of NaN and infinities, in row order
  /// Of the finite values the kOutliers largest by magnitude, the largest first, with it.
  std::vector<std::pair<float, Cell>> outliers;
  bool sampled = false;  ///< of some of the rows or columns only

  static constexpr std::size_t kSpecials = 1000;
  static constexpr std::size_t kOutliers = 16;

  [[nodiscard]] std::uint64_t finite() const { return count - nan - plus_inf - minus_inf; }

  [[nodiscard]] double mean() const;
  [[nodiscard]] double rms() const;
  /// The value of |x| that a share `q` of the finite values does not exceed (upper edge of its
  /// bin).
  [[nodiscard]] float quantile_of_magnitude(double q) const;
  /// Counts of the finite values in `n` bins of equal width over [from, to]; those outside are left
  /// out.
  [[nodiscard]] std::vector<double> histogram(float from, float to, std::size_t n) const;
};

/// Reads all of `matrix`. Errors: as Matrix::read, cancelled.
[[nodiscard]] Result<Census> take_census(const Matrix& matrix, std::stop_token stop);

/// A census of some evenly spread rows, or columns where those are cheaper: about a million cells.
/// Errors: as take_census.
[[nodiscard]] Result<Census> take_sample(const Matrix& matrix, std::stop_token stop);

}  // namespace ckpt::gui
