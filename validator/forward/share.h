#pragma once

#include "validator/forward/journal.h"

namespace ckpt::forward {

/// Which layers are computed here when several processes, or the threads of several devices, share
/// them: states come in from who has the layer before, and go out to who has the one after. The
/// first layer brings the embedding, the last one the head. Called from the thread that computes.
class LayerShare {
 public:
  virtual ~LayerShare() = default;
  /// Whether this layer is computed here.
  [[nodiscard]] virtual bool has(int layer) const = 0;
  /// Fills the states before `layer`, whose predecessor is another's. Errors: io, and those of who
  /// computed it.
  [[nodiscard]] virtual Result<void> receive(int layer, const StateView& states) = 0;
  /// Hands on the states before `layer`, which is another's. Errors: io.
  [[nodiscard]] virtual Result<void> send(int layer, const StateView& states) = 0;
};

}  // namespace ckpt::forward
