#include "validator/forward/workspace.h"

namespace ckpt::forward {

Result<kernels::Rows> Workspace::take(std::int64_t rows, std::int64_t cols) {
  if (used_ == buffers_.size()) buffers_.emplace_back();
  kernels::Buffer& buffer = buffers_[used_];
  if (buffer.data() == nullptr || buffer.size() < rows * cols) {
    buffer = {};  // free first, so that old and new never stand side by side
    CKPT_TRY(buffer, ops_->allocate(rows * cols), "workspace");
  }
  ++used_;
  return kernels::Rows{buffer.data(), rows, cols, cols};
}

void Workspace::clear() {
  buffers_.clear();
  used_ = 0;
}

}  // namespace ckpt::forward
