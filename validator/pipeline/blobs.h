#pragma once
// Named byte strings in a safetensors file of this machine's own.

#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "validator/base/result.h"
#include "validator/container/checkpoint.h"

namespace ckpt::pipeline {

/// Writes the strings as U8 tensors: to `PATH.new`, synced, then renamed. Errors: io.
[[nodiscard]] Result<void> save_blobs(
    const std::string& path, const std::vector<std::pair<std::string, std::string>>& blobs);

/// One of them from an opened file. Errors: io, format (absent).
[[nodiscard]] Result<std::string> read_blob(const container::Checkpoint& file,
                                            std::string_view name);

/// All of `names`. Errors: not_found, io, format.
[[nodiscard]] Result<std::map<std::string, std::string>> load_blobs(
    const std::string& path, const std::vector<std::string>& names);

}  // namespace ckpt::pipeline
