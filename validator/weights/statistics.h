#pragma once

#include "validator/weights/parameter.h"

namespace ckpt::weights {

/// How far a weight is from its reference; sums in f64 over both decoded to f32.
struct WeightError {
  double rel_fro = 0;  ///< ||w - v||_F / ||w||_F, w the reference
  double sqnr_db = 0;  ///< 10 log10(sum w^2 / sum (w - v)^2); infinite when equal
  double cosine = 1;   ///< NaN when either is all 0
  double max_abs = 0;  ///< max |w - v|; NaN when any difference is
};

/// Compares row by row, a block of rows in memory. Errors: format (shapes differ), as decode().
[[nodiscard]] Result<WeightError> weight_error(const Parameter& reference,
                                               const Parameter& candidate);

}  // namespace ckpt::weights
