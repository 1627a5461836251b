#pragma once
// The small broken and clean repos of fixtures/lint, put together from their deduplicated files.

#include <filesystem>
#include <map>
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

/// Which code answers for which broken repo.
inline const std::map<std::string, std::string>& lint_codes() {
  static const std::map<std::string, std::string> kCodes{
      {"extra-config-wrong-prefix", "QNT004"},
      {"missing-block-name", "QNT002"},
      {"router-quantized", "QNT010"},
      {"router-not-in-extra-config", "QNT005"},
      {"shared-expert-gate-not-in-extra-config", "QNT005"},
      {"torch-dtype-float16", "CFG011"},
      {"text-config-dtype-float16", "CFG011"},
      {"tokenizers-backend-class", "TOK003"},
      {"index-missing-shard", "IDX001"},
      {"index-lists-absent-tensor", "IDX002"},
      {"tensor-not-in-index", "IDX003"},
      {"missing-preprocessor-config", "TOK002"},
      {"qzeros-wrong-shape", "MAP005"},
      {"scales-nan", "VAL001"},
      {"scales-inf", "VAL001"},
      {"scales-zero", "VAL003"},
      {"group-size-mismatch", "QNT007"},
      {"experts-stacked-quantized", "MAP008"},
      {"experts-gateup-fused-perexpert", "MAP010"},
      {"linear-attn-quantized", "QNT009"},
      {"vision-quantized", "QNT012"},
      {"in-features-not-multiple-of-group", "QNT014"},
      {"g-idx-nontrivial", "VAL004"},
      {"file-truncated", "STF001"},
      {"offsets-overlap", "STF007"},
      {"header-length-beyond-file", "STF003"},
      {"header-duplicate-key", "STF005"},
      {"header-bad-utf8", "STF004"},
      {"weight-map-path-traversal", "IDX007"},
      {"num-experts-mismatch", "MAP006"},
      {"expert-missing", "MAP007"},
      {"nan-in-norm", "VAL002"},
      {"offsets-hole", "STF006"},
      {"shape-bytes-mismatch", "STF008"},
  };
  return kCodes;
}

}  // namespace ckpt::testing
