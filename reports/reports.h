#pragma once
// One file per report format; each reads the results tree and nothing else.

#include <string>
#include <string_view>

#include "validator/results/results.h"

namespace ckpt::reports {

/// How the text report is shown.
struct TextOptions {
  std::size_t width = 100;  ///< columns, 60 to 100
  bool color = false;
  std::uint64_t show = 1;  ///< places shown per finding
  bool quiet = false;      ///< findings and verdict only
  bool verbose = false;    ///< adds the block that llama.cpp users know
};

/// The screen of `check` and `kl` (interfaces, 4.1 to 4.4).
[[nodiscard]] std::string text(const results::Results& results, const TextOptions& options);

/// Its first block alone: what this checkpoint is.
[[nodiscard]] std::string identity_text(const results::Results& results,
                                        const TextOptions& options);

/// JSON Schema (2020-12) of the results JSON.
[[nodiscard]] std::string_view results_schema();

/// One line a finding: `config.json:6:18: error CFG011 name: message [*]`, then the verdict.
[[nodiscard]] std::string concise(const results::Results& results);

}  // namespace ckpt::reports
