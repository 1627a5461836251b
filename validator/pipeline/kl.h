#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "validator/base/progress.h"
#include "validator/base/thread_pool.h"
#include "validator/forward/mode.h"
#include "validator/forward/observer.h"
#include "validator/forward/variants.h"
#include "validator/forward/vision.h"
#include "validator/metrics/record.h"
#include "validator/pipeline/opened.h"
#include "validator/results/results.h"

namespace ckpt::pipeline {

class Transport;

struct KlArgs {
  const OpenedRepo& reference;
  const OpenedRepo& candidate;
  const std::vector<std::vector<std::int32_t>>& sequences;  ///< token ids, none empty
  ThreadPool& pool;
  Progress& progress;
  kernels::Ops* ops = nullptr;  ///< what computes; null: the processor, over `pool`
  /// Several backends that share the layers, `ops` the first, each with a thread and a reader of
  /// its own; then no journal, no observer and no transport. Empty: `ops` alone.
  std::span<kernels::Ops* const> devices;
  std::span<const forward::Image> images;  ///< between the tokens, in order
  std::string images_sha256;               ///< of their files, for the journal
  forward::Mode mode = forward::Mode::fp32;
  bool exact_router = true;  ///< bf16 and fp16: router logits stay f32 (no ties from rounding)
  /// Local errors per layer and expert; without them (NaN, empty) a third of the work falls away.
  bool local = true;
  /// Decoded weights of packed modules: kept in f32, or rounded to BF16 as 16-bit kernels do.
  /// Empty: rounded in the 16-bit modes.
  std::optional<bool> bf16_weights;
  /// Further streams, each compared with the reference; see forward/variants.h.
  std::span<const forward::Variant> variants;
  bool noise_floor = false;  ///< fills Metrics::noise_floor
  std::uint64_t seed = 0;    ///< of the intervals
  std::uint64_t memory_bytes = 8ULL << 30;
  std::string journal;  ///< folder to keep the run's state in and to go on from; empty: none
  std::chrono::seconds journal_interval{20};
  Transport* transport = nullptr;  ///< to others that share the layers; then no journal
  bool must_resume = false;        ///< a journal without a state is an error (not_found)
  /// In fp16 mode: finds out what a value that is not finite would have been.
  bool explain_overflow = true;
  std::stop_token stop;
  std::function<void(std::string_view)> note;  ///< the memory plan and such; may be empty
  forward::Observer* observer = nullptr;       ///< hears what the metrics hear
};

/// What a run measured: the record, and what it comes to.
struct KlOutcome {
  results::Metrics metrics;
  metrics::Record record;
};

/// Both configs describe the same computation over the same vocabulary. Errors: unsupported (an
/// architecture that is not computed), format (they differ: names the field and both values).
[[nodiscard]] Result<void> check_comparable(const OpenedRepo& reference,
                                            const OpenedRepo& candidate);

/// How decoded weights of packed modules are rounded in a run.
[[nodiscard]] kernels::Rounding weight_rounding(const KlArgs& args);

/// Sees to it that `args.ops` is there; returns what it made for that. Errors: unsupported.
[[nodiscard]] Result<std::unique_ptr<kernels::Ops>> supply_ops(KlArgs& args);

/// What computes, by name; with several devices all of them.
[[nodiscard]] std::string backend_name(const KlArgs& args);

/// Bytes that a run may plan with: `memory_bytes`, and no more than the backend has.
[[nodiscard]] std::uint64_t plan_memory(const KlArgs& args);

/// Streams both checkpoints over the sequences and measures how far the candidate is from the
/// reference. The text of tokens stays empty. Errors: usage (no tokens), those of
/// check_comparable, memory (not even one sequence fits), cancelled, io, not_found and unsupported
/// (a module that cannot be read, named).
[[nodiscard]] Result<KlOutcome> run_kl(const KlArgs& args);

}  // namespace ckpt::pipeline
