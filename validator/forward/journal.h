#pragma once

#include <optional>

#include "validator/forward/mlp.h"
#include "validator/forward/variants.h"

namespace ckpt::forward {

/// Between two layers of one pass: what is to be computed next. `layer` equal to the number of
/// layers means the head.
struct Place {
  int pass = 0;
  int layer = 0;
};

/// Hidden states at a place.
struct StateView {
  kernels::Ops& ops;
  const Hidden& hidden;
  VariantStates& variants;
};

/// Keeps the hidden states between layers, so that a run that was stopped can go on. Called from
/// the thread that computes.
class Journal {
 public:
  virtual ~Journal() = default;
  /// Where an earlier run stopped; nothing when there was none.
  [[nodiscard]] virtual std::optional<Place> start() = 0;
  /// Fills the states of start(); not called when its layer is 0. Errors: io, format.
  [[nodiscard]] virtual Result<void> restore(const StateView& states) = 0;
  /// A layer is done: `next` is what follows it. Errors: io.
  [[nodiscard]] virtual Result<void> after_layer(Place next, const StateView& states) = 0;
  /// A whole pass is done, its positions reported. Errors: io.
  [[nodiscard]] virtual Result<void> after_pass(int pass) = 0;
};

}  // namespace ckpt::forward
