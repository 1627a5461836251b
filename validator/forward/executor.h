#pragma once

#include <cstdint>
#include <span>
#include <stop_token>
#include <vector>

#include "kernels/ops.h"
#include "validator/base/progress.h"
#include "validator/forward/journal.h"
#include "validator/forward/mode.h"
#include "validator/forward/modules.h"
#include "validator/forward/observer.h"
#include "validator/forward/plan.h"
#include "validator/forward/share.h"
#include "validator/forward/taps.h"
#include "validator/forward/variants.h"
#include "validator/forward/vision.h"

namespace ckpt::forward {

struct ForwardArgs {
  const Pair& pair;
  const config::TextConfig& config;  ///< of the reference; the candidate's agrees
  const std::vector<std::vector<std::int32_t>>& sequences;  ///< token ids
  const Plan& plan;
  kernels::Ops& ops;
  Taps& taps;
  Observer& observer;
  Progress& progress;
  Mode mode = Mode::fp32;
  bool exact_router = true;
  std::span<const Variant> variants;  ///< further streams, compared with the reference
  bool local = true;                  ///< local errors; without them a third of the work falls away
  kernels::Rounding weight_rounding = kernels::Rounding::none;  ///< of decoded codes
  Journal* journal = nullptr;     ///< null: the run cannot be taken up again
  LayerShare* share = nullptr;    ///< null: all layers are computed here; else there is no journal
  std::span<const Image> images;  ///< between the tokens, in order; the reference then has a tower
  std::stop_token stop;
};

/// Streams both models over all sequences, layer by layer, and reports to the observer and the
/// taps. Errors: cancelled, memory, those of the weights, format (a token beyond the vocabulary).
[[nodiscard]] Result<void> run_forward(const ForwardArgs& args);

}  // namespace ckpt::forward
