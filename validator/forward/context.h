#pragma once

#include <stop_token>

#include "kernels/ops.h"
#include "validator/config/model_config.h"
#include "validator/forward/mode.h"
#include "validator/forward/taps.h"
#include "validator/forward/workspace.h"

namespace ckpt::forward {

/// Cosines and sines of the rotary embedding in backend memory, [positions, d/2].
struct RopeTable {
  kernels::Buffer memory;
  kernels::Rows cos;
  kernels::Rows sin;
};

/// What every stage of the model code needs. Lives for one run.
struct Context {
  kernels::Ops& ops;
  const config::TextConfig& config;
  kernels::Rounding rounding;
  Workspace& workspace;
  const RopeTable& rope;
  bool exact_router = true;  ///< router logits are not rounded
  bool local = true;         ///< evaluate the candidate on the reference's inputs too
  std::stop_token stop;

  /// Whether every input of a product holds BF16 numbers only.
  [[nodiscard]] bool bf16() const { return rounding == kernels::Rounding::bf16; }

  [[nodiscard]] Result<void> check_stop() const {
    if (stop.stop_requested()) return fail(ErrorKind::cancelled, "stopped");
    return {};
  }
};

}  // namespace ckpt::forward
