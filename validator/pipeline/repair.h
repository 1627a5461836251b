#pragma once
// `fix`: what the repairable findings ask for, tried on a repo in memory before anything is
// written.

#include <stop_token>
#include <string>
#include <vector>

#include "validator/pipeline/check.h"

namespace ckpt::pipeline {

/// A text file as it is and as it would be. `before` is empty for a file that is new.
struct FileChange {
  std::string name;
  std::string before;
  std::string after;
  bool is_new = false;
};

/// A repairable finding that stays, and why.
struct Unrepaired {
  results::Finding finding;
  std::string why;
};

struct RepairPlan {
  std::string folder;                      ///< where the files of the target lie
  std::vector<FileChange> changes;         ///< by name
  std::vector<results::Finding> repaired;  ///< found before, not after
  std::vector<Unrepaired> refused;         ///< repairable, but not repaired
  results::Results before;
  results::Results after;  ///< the check of the repo with the changes
};

struct RepairArgs {
  std::string target;
  std::string base;  ///< repo that missing files are copied from, or empty
  CheckOptions check;
};

/// Plans the repairs of one target; writes nothing. A repair counts only when the check of the
/// changed repo no longer has its finding and has no new error. When the config names the scheme
/// twice (config.json and quantization_config.json), both are repaired. Errors: those of opening
/// target and base.
[[nodiscard]] Result<RepairPlan> plan_repairs(const RepairArgs& args, ThreadPool& pool,
                                              std::stop_token stop);

/// Writes the changes into `folder`, each file whole or not at all; with `backup` the old content
/// is kept as `NAME.orig`. Errors: io; usage when a file is no longer what it was when planned.
[[nodiscard]] Result<void> write_changes(const std::vector<FileChange>& changes,
                                         const std::string& folder, bool backup);

}  // namespace ckpt::pipeline
