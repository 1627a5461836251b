#pragma once

#include "validator/forward/journal.h"

namespace ckpt::forward {

/// The layers of this process when several share them: each pass comes in from who has the layers
/// before, and goes out to who has those after. Called from the thread that computes.
class LayerShare {
 public:
  virtual ~LayerShare() = default;
  /// First layer of this process, and the one after its last.
  [[nodiscard]] virtual int first() const = 0;
  [[nodiscard]] virtual int end() const = 0;
  /// Fills the states before first(); not called when that is 0. Errors: io, and those of the
  /// process before.
  [[nodiscard]] virtual Result<void> receive(const StateView& states) = 0;
  /// Hands on the states after the last layer; not called when the head follows. Errors: io.
  [[nodiscard]] virtual Result<void> send(const StateView& states) = 0;
};

}  // namespace ckpt::forward
