#pragma once
// Files of this machine's own: tensors and byte strings under names, as safetensors whatever the
// file is called.

#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "kernels/ops.h"
#include "validator/base/file.h"
#include "validator/base/result.h"
#include "validator/container/safetensors.h"

namespace ckpt::pipeline {

/// Hidden states or bytes to be written.
struct Blob {
  std::string name;
  std::string bytes;   ///< U8, when `rows` is null
  kernels::Rows rows;  ///< F32 [rows, cols] in backend memory
};

/// Writes to `PATH.new`, syncs and renames. `ops` may be null without rows. Errors: io, device.
[[nodiscard]] Result<void> save_blobs(const std::string& path, const std::vector<Blob>& blobs,
                                      kernels::Ops* ops = nullptr);

/// One such file, opened. const methods are thread-safe.
class BlobFile {
 public:
  /// Errors: not_found, io, format (no safetensors).
  [[nodiscard]] static Result<BlobFile> open(const std::string& path);

  [[nodiscard]] const container::Tensor* find(std::string_view name) const;
  /// A tensor's bytes. Errors: io, format (absent).
  [[nodiscard]] Result<std::string> bytes(std::string_view name) const;
  /// Rows [first, first + to.rows) of an F32, BF16 or F16 tensor into backend memory. Errors: io,
  /// format.
  [[nodiscard]] Result<void> rows(std::string_view name, std::int64_t first, kernels::Ops& ops,
                                  const kernels::Rows& to) const;

 private:
  File file_;
  container::Header header_;
};

}  // namespace ckpt::pipeline
