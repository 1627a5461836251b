#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace ckpt::loaders {

/// How a consumer applies a regular expression from a config to a name.
enum class Anchor : std::uint8_t {
  search,  ///< anywhere (vLLM and transformers for AutoRound)
  start,   ///< from the start, open at the end (Python re.match: compressed-tensors)
  full,    ///< the whole name (SGLang)
};

enum class PatternProblem : std::uint8_t {
  none,
  invalid,        ///< no regular expression for anybody
  not_evaluated,  ///< Python syntax that a linear-time engine lacks, or over the budget
};

/// Many patterns from a config, matched in one pass and linear time (RE2). Immutable after
/// construction; const methods are thread-safe.
class PatternSet {
 public:
  PatternSet(const std::vector<std::string>& patterns, Anchor anchor);
  ~PatternSet();
  PatternSet(PatternSet&&) noexcept;
  PatternSet& operator=(PatternSet&&) noexcept;

  /// Lowest index (the order given) of a pattern that matches, or -1.
  [[nodiscard]] int first_match(std::string_view name) const;
  /// Sets `matched[i]` for every pattern i that matches; one pass over the name.
  void mark_matches(std::string_view name, std::vector<bool>& matched) const;
  [[nodiscard]] PatternProblem problem(std::size_t index) const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// True when `key` holds one of the characters by which vLLM 0.33 tells a regex from a name.
[[nodiscard]] bool looks_like_regex(std::string_view key);

}  // namespace ckpt::loaders
