#pragma once

#include <memory>

#include "kernels/cuda/kernels.h"
#include "kernels/cuda/runtime.h"
#include "kernels/ops.h"

namespace ckpt::kernels::cuda {

/// A weight on the device. Its bytes travel when it is made; they are decoded when it is first
/// used, so that a weight asked for early does not hold up what is computed before it.
class CudaMatrix final : public Matrix {
 public:
  /// Errors: memory, device; internal when the view's bytes do not fit its extents.
  [[nodiscard]] static Result<std::unique_ptr<CudaMatrix>> make(Device& device,
                                                                const MatrixView& view);
  ~CudaMatrix() override;
  CudaMatrix(const CudaMatrix&) = delete;
  CudaMatrix& operator=(const CudaMatrix&) = delete;

  std::int64_t n() const override { return view_.n; }

  std::int64_t k() const override { return view_.k; }

  /// The weight as BF16 terms, decoded and scanned on compute(). Errors: memory, device.
  [[nodiscard]] Result<void> prepare();

  [[nodiscard]] const Terms& terms() const { return terms_; }

  [[nodiscard]] const int* nonfinite() const { return flag_.as<int>(); }

 private:
  CudaMatrix(Device& device, const MatrixView& view) : device_(device), view_(view) {}

  [[nodiscard]] Result<void> send();
  [[nodiscard]] Result<void> decode_terms();

  Device& device_;
  MatrixView view_;  // its spans point to the device once the bytes are on their way
  Block data_, zeros_, scales_, groups_;
  Block decoded_;
  Block flag_;
  Terms terms_;
  Event arrived_;
  bool ready_ = false;
};

/// Depth of terms for `k` inputs.
[[nodiscard]] constexpr std::int64_t padded_depth(std::int64_t k) {
  return (k + kDepth - 1) / kDepth * kDepth;
}

}  // namespace ckpt::kernels::cuda
