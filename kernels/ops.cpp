#include "kernels/ops.h"

#include <utility>

#include "kernels/extents.h"

namespace ckpt::kernels {

Buffer::Buffer(Buffer&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)),
      size_(std::exchange(other.size_, 0)),
      release_(std::move(other.release_)) {}

Buffer& Buffer::operator=(Buffer&& other) noexcept {
  if (this != &other) {
    if (data_ != nullptr) release_(data_);
    data_ = std::exchange(other.data_, nullptr);
    size_ = std::exchange(other.size_, 0);
    release_ = std::move(other.release_);
  }
  return *this;
}

Buffer::~Buffer() {
  if (data_ != nullptr) release_(data_);
}

Result<void> Ops::grouped_gemm(const GroupedGemmArgs& args) {
  if (!fits(args)) return bad_extents("grouped_gemm");
  for (const GemmGroup& g : args.groups) {
    const GemmPart part{g.w, g.y};
    CKPT_TRY_VOID(
        gemm({args.x.slice(g.first, g.y.rows), {&part, 1}, args.rounding, args.x_is_bf16}),
        "group");
  }
  return {};
}

}  // namespace ckpt::kernels
