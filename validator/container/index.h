#pragma once

#include <optional>
#include <vector>

#include "validator/container/checkpoint.h"

namespace ckpt::container {

inline constexpr std::string_view kIndexName = "model.safetensors.index.json";

/// Reads the index of a repo, if it has one; defects go to `defects`.
[[nodiscard]] std::optional<Index> read_index(const repo::Repo& repo, std::string_view name,
                                              std::vector<Defect>& defects);

/// Compares the index with what the shards hold. `tensors` sorted by name; `shards` as opened.
void compare_index(const Index& index, const repo::Repo& repo, const std::vector<Shard>& shards,
                   const std::vector<Tensor>& tensors, std::vector<Defect>& defects);

}  // namespace ckpt::container
