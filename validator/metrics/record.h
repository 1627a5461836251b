#pragma once
// What a run has measured, as plain data that adds up exactly: parts of a run measured apart (after
// an interruption, or on other machines) and put together give the bits of one run.

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "kernels/ops.h"
#include "validator/base/exact_sum.h"
#include "validator/base/result.h"
#include "validator/forward/taps.h"
#include "validator/metrics/worst.h"

namespace ckpt::metrics {

/// Sums over the tokens of one layer; squares of norms.
struct LayerSums {
  ExactSum hidden_reference, difference, update, local;
  std::uint64_t overlap_local = 0, overlap = 0;  ///< shared experts, summed over tokens
  std::uint64_t same_set = 0, tokens = 0, ties = 0;
  ExactSum gate_tv;  ///< 0.5 * sum |g_ref - g_cand|, over tokens
  std::int64_t top_k = 0;
};

/// Sums over the tokens that the reference sent to one expert.
struct ExpertSums {
  ExactSum output, difference;  ///< squares
  ExactSum gated;               ///< squares of the gated difference
  ExactSum saliency, norm, gate;
  std::uint64_t tokens = 0;
  std::uint64_t tokens_candidate = 0;  ///< that the candidate sent to it
};

/// Everything that a Collector needs to finish. Tokens count over the run's own sequences.
struct Record {
  std::vector<std::uint64_t> lengths;  ///< tokens of each sequence
  std::vector<kernels::Divergence> positions;
  std::vector<TopPair> tops;                    ///< at the worst of the positions
  std::vector<std::vector<double>> variant_kl;  ///< per variant and position
  std::map<int, LayerSums> layers;
  std::map<std::pair<int, int>, ExpertSums> experts;  ///< by layer and expert
  forward::Taps taps;

  /// Adds the record of the sequences that follow this one's. Commutes but for the order of the
  /// sequences. Errors: format (different variants).
  [[nodiscard]] Result<void> append(const Record& next);

  /// Adds the record of other layers of the same tokens. Errors: format (other tokens, or positions
  /// on both sides).
  [[nodiscard]] Result<void> add_layers(const Record& other);

  /// Whether it is that of a whole run over `layers` layers: every position there once, in every
  /// list, and no layer beyond. What came from a file must be asked before it is finished.
  [[nodiscard]] bool complete(std::size_t layers) const;

  /// As bytes for a file of this machine's own, and back. Errors: format (not such bytes).
  [[nodiscard]] std::string save() const;
  [[nodiscard]] static Result<Record> load(std::string_view bytes);
};

}  // namespace ckpt::metrics
