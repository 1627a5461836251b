#pragma once

#include <vector>

#include "kernels/ops.h"

namespace ckpt::forward {

/// Temporary activations, reused from call to call: take() hands out buffers in order, release()
/// gives back all that came after a mark. Not thread-safe.
class Workspace {
 public:
  explicit Workspace(kernels::Ops& ops) : ops_(&ops) {}

  /// [rows, cols], contents undefined. Errors: memory.
  [[nodiscard]] Result<kernels::Rows> take(std::int64_t rows, std::int64_t cols);

  [[nodiscard]] std::size_t mark() const { return used_; }

  void release(std::size_t mark) { used_ = mark; }

  /// Frees the memory itself.
  void clear();

 private:
  kernels::Ops* ops_;
  std::vector<kernels::Buffer> buffers_;
  std::size_t used_ = 0;
};

/// Releases on leaving a scope.
class WorkspaceScope {
 public:
  explicit WorkspaceScope(Workspace& workspace) : workspace_(workspace), mark_(workspace.mark()) {}

  ~WorkspaceScope() { workspace_.release(mark_); }

  WorkspaceScope(const WorkspaceScope&) = delete;
  WorkspaceScope& operator=(const WorkspaceScope&) = delete;

 private:
  Workspace& workspace_;
  std::size_t mark_;
};

}  // namespace ckpt::forward
