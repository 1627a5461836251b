#pragma once
// Shared by the load_*.cpp files only.

#include <optional>
#include <string>
#include <unordered_set>
#include <vector>

#include "validator/loaders/internal.h"
#include "validator/loaders/load_report.h"

namespace ckpt::loaders {

struct Failure {
  LoadVerdict verdict = LoadVerdict::fails_load;
  std::string error;
  std::string why;
};

/// Which files are read: `model.safetensors` alone when it is there, else every file that the index
/// names anywhere.
struct VisibleShards {
  bool single = false;
  std::unordered_set<std::string> listed;
  std::vector<bool> visible;  ///< per Checkpoint::shards()

  [[nodiscard]] bool reads(std::string_view file) const;
};

[[nodiscard]] VisibleShards visible_shards(const container::Checkpoint& checkpoint);

/// What stops the load before any parameter is filled, if anything.
[[nodiscard]] std::optional<Failure> start_failure(const LoadInput& in,
                                                   const VisibleShards& shards);

}  // namespace ckpt::loaders
