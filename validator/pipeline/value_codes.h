#pragma once
// Counting in packed words as their bytes stream by.

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "validator/rules/input.h"

namespace ckpt::pipeline {

/// Histogram of the codes of one tensor, for widths that divide a byte. Feed it all bytes in order.
class CodeCounter {
 public:
  explicit CodeCounter(unsigned bits) : bits_(bits) {}

  void add(std::span<const std::byte> bytes);
  /// Fills the code fields of `fact`.
  void finish(rules::ValueFact& fact) const;

 private:
  unsigned bits_;
  std::array<std::uint64_t, 256> bytes_{};
};

/// The layout in which a group is a run of words down a column (GPTQ: `columns` = N) or along a row
/// (compressed-tensors: 1).
struct GroupLayout {
  std::uint64_t columns = 1;
  std::uint64_t words_per_group = 0;  ///< 0: not followed
  std::uint32_t zero_word = 0;        ///< a word whose codes are all the zero point
};

/// Counts groups in which every code is the zero point. Feed it all words in order.
class DeadGroups {
 public:
  explicit DeadGroups(GroupLayout layout)
      : layout_(layout), live_(layout.words_per_group == 0 ? 0 : layout.columns) {}

  void add(std::span<const std::byte> bytes);
  void finish(rules::ValueFact& fact) const;

 private:
  GroupLayout layout_;
  std::vector<std::uint8_t> live_;  ///< per column: a code that is not zero was seen in this group
  std::uint64_t row_ = 0;
  std::uint64_t column_ = 0;
  std::uint64_t groups_ = 0;
  std::uint64_t dead_ = 0;
};

/// A 64-bit hash of bytes fed in pieces whose sizes, but for the last, are multiples of 8. Two
/// tensors of equal hash are equal but for chance; nothing hostile is decided by it.
class ContentHasher {
 public:
  void add(std::span<const std::byte> bytes);

  [[nodiscard]] std::uint64_t value() const { return state_; }

 private:
  std::uint64_t state_ = 0x9E3779B97F4A7C15ULL;
};

}  // namespace ckpt::pipeline
