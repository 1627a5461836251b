#pragma once

#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "kernels/ops.h"
#include "validator/weights/read_ahead.h"

namespace ckpt::forward {

/// A weight in the form the ops take. Owns the bytes behind the matrix.
struct Linear {
  weights::Parameter parameter;
  std::unique_ptr<kernels::Matrix> matrix;
};

/// Describes a parameter to the kernels; the view points into it. `rounding` is that of decoded
/// codes. Errors: unsupported.
[[nodiscard]] Result<kernels::MatrixView> matrix_view(const weights::Parameter& parameter,
                                                      kernels::Rounding rounding);

/// Modules in the order in which they were asked for, as matrices or as f32 numbers. Matrices of
/// modules to come are made early as far as the backend asks for it, so that their bytes travel
/// while others compute. The backend must outlive it; used from one thread.
class WeightFeed {
 public:
  WeightFeed(kernels::Ops& ops, kernels::Rounding rounding, std::vector<weights::Request> requests,
             std::uint64_t read_ahead_bytes)
      : ops_(ops),
        rounding_(rounding),
        limit_(ops.matrices_ahead()),
        queue_(std::move(requests), read_ahead_bytes) {}

  [[nodiscard]] Result<Linear> next_linear();
  [[nodiscard]] Result<std::vector<float>> next_vector();

  [[nodiscard]] std::uint64_t bytes_read() const { return queue_.bytes_read(); }

 private:
  [[nodiscard]] Result<Linear> next();
  [[nodiscard]] Result<void> make_matrix(Linear& linear);
  void look_ahead();

  kernels::Ops& ops_;
  kernels::Rounding rounding_;
  std::uint64_t limit_;
  std::uint64_t early_bytes_ = 0;
  std::deque<Result<Linear>> early_;  // what was taken from the queue before its turn
  weights::ReadAhead queue_;
};

}  // namespace ckpt::forward
