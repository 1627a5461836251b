#include "kernels/cuda/matrix.h"

#include "kernels/extents.h"

namespace ckpt::kernels::cuda {

Result<std::unique_ptr<CudaMatrix>> CudaMatrix::make(Device& device, const MatrixView& view) {
  if (!fits(view)) return bad_extents("matrix");
  std::unique_ptr<CudaMatrix> matrix(new CudaMatrix(device, view));
  CKPT_TRY_VOID(matrix->send(), "matrix");
  return matrix;
}

CudaMatrix::~CudaMatrix() {
  // The memory goes back in the order of compute(), which must not overtake the copy.
  static_cast<void>(arrived_.hold(device_.compute()));
}

Result<void> CudaMatrix::send() {
  const auto send_one = [&](std::span<const std::byte>& bytes, Block& to) -> Result<void> {
    if (bytes.empty()) return {};
    CKPT_TRY(to, device_.upload(bytes, arrived_), "upload");
    bytes = {to.as<const std::byte>(), bytes.size()};
    return {};
  };
  CKPT_TRY_VOID(send_one(view_.data, data_), "codes");
  CKPT_TRY_VOID(send_one(view_.zeros, zeros_), "zeros");
  CKPT_TRY_VOID(send_one(view_.scales, scales_), "scales");
  return send_one(view_.group_of_k, groups_);
}

Result<void> CudaMatrix::decode_terms() {
  const bool dense = view_.row_stride == 0 || view_.row_stride == view_.k;
  terms_ = {nullptr, view_.n, padded_depth(view_.k), terms_of(view_)};
  if (view_.storage == Storage::bf16 && dense && terms_.depth == view_.k) {
    terms_.data = data_.as<std::uint16_t>();
    return check(scan(device_.compute(), terms_.data, view_.n * view_.k, flag_.as<int>()), "scan");
  }
  const std::int64_t numbers = terms_.count * terms_.rows * terms_.depth;
  CKPT_TRY(decoded_, device_.allocate(static_cast<std::size_t>(numbers) * 2), "decoded weight");
  terms_.data = decoded_.as<std::uint16_t>();
  CKPT_TRY_VOID(check(decode(device_.compute(), view_, terms_, flag_.as<int>()), "decode"),
                "weight");
  // In the order of the stream: the codes are no longer needed once they are decoded.
  for (Block* block : {&data_, &zeros_, &scales_, &groups_}) *block = {};
  return {};
}

Result<void> CudaMatrix::prepare() {
  if (ready_) return {};
  CKPT_TRY_VOID(arrived_.hold(device_.compute()), "weight");
  CKPT_TRY(flag_, device_.allocate(sizeof(int)), "weight");
  CKPT_TRY_VOID(
      check(cudaMemsetAsync(flag_.as<void>(), 0, sizeof(int), device_.compute()), "clear"),
      "weight");
  CKPT_TRY_VOID(decode_terms(), "weight");
  ready_ = true;
  return {};
}

}  // namespace ckpt::kernels::cuda
