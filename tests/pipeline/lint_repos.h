#pragma once
// The small broken and clean repos of fixtures/lint, put together from their deduplicated files.

#include <filesystem>
#include <string>

#include "tests/support.h"

namespace ckpt::testing {

inline std::string lint_folder() {
  return std::string(CKPT_FIXTURES) + "/lint/";
}

/// Lays `repo` out in `dir`. The files are copied: they are a few kilobytes each.
inline void lay_out_lint_repo(const std::string& repo, const TempDir& dir) {
  const auto manifest = read_json(lint_folder() + "manifest.json");
  manifest->root().find(repo).each_member([&](const json::Member& m) {
    std::filesystem::copy_file(lint_folder() + "blobs/" + std::string(*m.value.string()),
                               dir.path() + "/" + std::string(m.name));
  });
}

}  // namespace ckpt::testing
