#pragma once

#include <stop_token>

#include "kernels/ops.h"
#include "validator/config/model_config.h"
#include "validator/forward/mode.h"
#include "validator/forward/taps.h"
#include "validator/forward/workspace.h"

namespace ckpt::forward {

/// Cosines and sines of the rotary embedding, [positions, d/2] each.
struct RopeRows {
  kernels::Rows cos;
  kernels::Rows sin;
  bool by_token = false;  ///< a row per token at hand, not per position within its sequence

  [[nodiscard]] RopeRows slice(std::int64_t first, std::int64_t count) const {
    return {cos.slice(first, count), sin.slice(first, count), by_token};
  }
};

/// The same with the backend memory behind it.
struct RopeTable {
  kernels::Buffer memory;
  RopeRows rows;
};

/// What every stage of the model code needs. Lives for one run.
struct Context {
  kernels::Ops& ops;
  const config::TextConfig& config;
  kernels::Rounding rounding;
  Workspace& workspace;
  RopeRows rope;
  bool exact_router = true;  ///< router logits are not rounded
  bool local = true;         ///< evaluate the candidate on the reference's inputs too
  std::stop_token stop;

  /// Whether every input of a product holds BF16 numbers only.
  [[nodiscard]] bool bf16() const { return rounding == kernels::Rounding::bf16; }

  /// The same with other angles.
  [[nodiscard]] Context with_rope(const RopeRows& angles) const {
    Context other = *this;
    other.rope = angles;
    return other;
  }

  [[nodiscard]] Result<void> check_stop() const {
    if (stop.stop_requested()) return fail(ErrorKind::cancelled, "stopped");
    return {};
  }
};

}  // namespace ckpt::forward
