#pragma once
// `prune-verify`: is a checkpoint exactly the kept experts of its base?

#include <cstdint>
#include <stop_token>
#include <string>
#include <vector>

#include "validator/base/progress.h"
#include "validator/base/thread_pool.h"
#include "validator/pipeline/check.h"
#include "validator/pipeline/opened.h"

namespace ckpt::pipeline {

/// Which base experts one layer kept, as its router rows show: slot i holds kept[i]; -1 where the
/// row is none of the base's.
struct LayerMap {
  int layer = 0;
  std::vector<int> kept;
};

struct PruneReport {
  results::Results results;  ///< command `prune-verify`: findings PRU001 to PRU006 and MAP006
  std::vector<LayerMap> layers;
  std::uint64_t experts_exact = 0;     ///< expert linears equal to the base's, bit for bit
  std::uint64_t experts_close = 0;     ///< quantized ones within quantization error of the base's
  std::uint64_t others_exact = 0;      ///< other modules equal to the base's
  std::uint64_t others_widened = 0;    ///< other modules: the base's values in another dtype
  std::uint64_t others_rounded = 0;    ///< other modules: F32 in the base, its BF16 rounding here
  std::uint64_t norms_round_trip = 0;  ///< norms after BF16(1 + w) and back (llm-compressor)
  std::uint64_t not_comparable = 0;    ///< other modules stored quantized
  double largest_error = 0;            ///< of the close ones: ||W - W_base||_F / ||W_base||_F
};

struct PruneArgs {
  const OpenedRepo& candidate;
  const OpenedRepo& base;
  ThreadPool& pool;
  Progress& progress;
  std::stop_token stop;
  FailOn fail_on = FailOn::error;
};

/// Compares both module by module; holds two modules at a time. What cannot be compared is in
/// `run.incomplete` or counted, never passed over. Errors: unsupported (an architecture without
/// blueprint, a dense model); io.
[[nodiscard]] Result<PruneReport> verify_prune(const PruneArgs& args);

/// `0-3, 5, 8-10`, with -1 as `?`.
[[nodiscard]] std::string ranges_text(const std::vector<int>& numbers);

}  // namespace ckpt::pipeline
