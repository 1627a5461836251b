#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "kernels/ops.h"
#include "validator/weights/read_ahead.h"

namespace ckpt::forward {

/// A weight in the form the ops take. Owns the bytes behind the matrix.
struct Linear {
  weights::Parameter parameter;
  std::unique_ptr<kernels::Matrix> matrix;
};

/// Describes a parameter to the kernels; the view points into it. Errors: unsupported.
[[nodiscard]] Result<kernels::MatrixView> matrix_view(const weights::Parameter& parameter);

/// Makes a linear of a parameter [N, K].
[[nodiscard]] Result<Linear> make_linear(kernels::Ops& ops, weights::Parameter parameter);

/// Takes the next module from the read-ahead queue, as a matrix or as f32 numbers.
[[nodiscard]] Result<Linear> next_linear(kernels::Ops& ops, weights::ReadAhead& queue);
[[nodiscard]] Result<std::vector<float>> next_vector(weights::ReadAhead& queue);

}  // namespace ckpt::forward
