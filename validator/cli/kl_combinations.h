#pragma once

#include "validator/base/result.h"
#include "validator/cli/options.h"

namespace ckpt::cli {

/// What beside the options decides which of them have an effect.
struct KlSituation {
  bool bundle = false;  ///< the reference is one
  bool shared = false;  ///< several processes or devices share the layers
};

/// Options of `kl` that would have no effect, or cannot work together, are refused before anything
/// is read. Errors: usage (names what is missing).
[[nodiscard]] Result<void> check_combinations(const KlArgs& args, const KlSituation& situation);

}  // namespace ckpt::cli
