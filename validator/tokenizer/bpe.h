#pragma once

#include <cstdint>
#include <span>
#include <unordered_map>
#include <vector>

namespace ckpt::tokenizer {

/// The merge table of a byte pair encoding. const methods are thread-safe.
class MergeTable {
 public:
  /// Pair (left, right) becomes `merged`; lower ranks go first. Of two equal pairs the later
  /// counts, as in tokenizers 0.23 (models/bpe/model.rs).
  void add(std::uint32_t left, std::uint32_t right, std::uint32_t rank, std::uint32_t merged);

  [[nodiscard]] std::size_t size() const { return merges_.size(); }

  /// Merges neighbours in `symbols`, lowest rank first, of equal ranks the leftmost, until none is
  /// left, and appends what remains to `out`. O(n log n).
  void apply(std::span<const std::uint32_t> symbols, std::vector<std::uint32_t>& out) const;

 private:
  struct Merge {
    std::uint32_t rank;
    std::uint32_t merged;
  };

  friend class Merger;
  [[nodiscard]] const Merge* find(std::uint32_t left, std::uint32_t right) const;
  std::unordered_map<std::uint64_t, Merge> merges_;
};

}  // namespace ckpt::tokenizer
