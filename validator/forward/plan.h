#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "validator/forward/modules.h"

namespace ckpt::forward {

/// How a run fits its memory. Derived from sizes alone, never from the thread count.
struct Plan {
  struct Pass {
    std::size_t first_sequence = 0;
    std::size_t sequences = 0;
    std::int64_t tokens = 0;
  };

  std::vector<Pass> passes;         ///< each reads every weight once
  std::int64_t mixer_tokens = 0;    ///< tokens of a mixer block, at least one whole sequence
  std::int64_t expert_rows = 0;     ///< rows of an expert or router block
  std::int64_t head_positions = 0;  ///< positions whose logits stand side by side
  bool head_resident = false;       ///< else the head is read again for every block of positions
  std::uint64_t read_ahead_bytes = 0;
  std::uint64_t weights_bytes = 0;  ///< the most that stands in memory of both models at a time
  std::uint64_t peak_bytes = 0;     ///< estimate for the whole process' activations and weights

  /// One line, for example `1 pass over 65,536 tokens, about 4.1 GB: ...`.
  [[nodiscard]] std::string text() const;
};

/// `variants`: streams carried beside the two; `extra_token_bytes`: what a token takes besides, in
/// runs with images. Errors: memory (not even one sequence fits
/// `budget_bytes`: says how much it takes).
[[nodiscard]] Result<Plan> make_plan(const Pair& pair, const config::TextConfig& config,
                                     const std::vector<std::vector<std::int32_t>>& sequences,
                                     std::uint64_t budget_bytes, std::size_t variants = 0,
                                     std::uint64_t extra_token_bytes = 0);

}  // namespace ckpt::forward
