#pragma once
// Sums of doubles that do not depend on the order of the terms, so that parts computed apart and
// put together later give the bits of one run.

#include <array>
#include <cstdint>
#include <span>

namespace ckpt {

/// A fixed-point sum wide enough for every term in (2^-320, 2^256) to be added exactly; smaller
/// parts are cut off term by term, larger and non-finite terms make the sum infinite or NaN. Adding
/// and merging commute.
class ExactSum {
 public:
  void add(double term);
  void merge(const ExactSum& other);

  /// The sum, rounded once (to within one unit in the last place).
  [[nodiscard]] double value() const;

  ExactSum& operator+=(double term) {
    add(term);
    return *this;
  }

  /// The state as plain numbers, for a file: digits, then the special sum's bits.
  static constexpr std::size_t kWords = 19;
  [[nodiscard]] std::array<std::int64_t, kWords> words() const;
  [[nodiscard]] static ExactSum from_words(std::span<const std::int64_t, kWords> words);

 private:
  static constexpr int kDigits = 18;  ///< of 32 bits, least first; each in 64 bits for carries
  static constexpr int kLowest = -320;

  void normalize();

  std::array<std::int64_t, kDigits> digits_{};
  double special_ = 0;         ///< sum of the terms that have no place above
  std::uint32_t pending_ = 0;  ///< terms since the digits were last normalised
};

}  // namespace ckpt
