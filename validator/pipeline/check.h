#pragma once

#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "validator/base/progress.h"
#include "validator/base/thread_pool.h"
#include "validator/loaders/load_report.h"
#include "validator/pipeline/opened.h"
#include "validator/results/results.h"
#include "validator/rules/input.h"
#include "validator/rules/recipe.h"

namespace ckpt::pipeline {

enum class FailOn : std::uint8_t { error, warning, info, never };

/// Up to this size the values are read without being asked: it takes no time.
inline constexpr std::uint64_t kSmallCheckpointBytes = 256ULL << 20;

struct CheckOptions {
  std::optional<bool> values;        ///< read values; empty: when the checkpoint is small
  std::vector<std::string> loaders;  ///< empty: all
  std::vector<std::string> select;   ///< code prefixes; empty: all
  std::vector<std::string> ignore;   ///< code prefixes
  FailOn fail_on = FailOn::error;
  std::uint64_t tensor_parallel = 0;    ///< GPUs that will share every layer; 0: not said
  std::uint64_t expert_parallel = 0;    ///< GPUs that will share the experts; 0: not said
  std::optional<loaders::Gpu> gpu;      ///< the device to serve on; none: not said
  std::optional<rules::Recipe> recipe;  ///< what [recipe] states
  const OpenedRepo* base = nullptr;     ///< checkpoint that this one was made from; null: not said
  bool preview = false;                 ///< run rules in preview, too
};

/// Everything `check` knows about one opened target; never fails: what could not be looked at is in
/// `run.incomplete`.
[[nodiscard]] results::Results run_check(const OpenedRepo& opened, const CheckOptions& options,
                                         ThreadPool& pool, Progress& progress,
                                         std::stop_token stop);

/// Verdict and exit code from findings, gates and what is incomplete (interfaces, section 5).
void judge(results::Results& results, FailOn fail_on);

struct LoadOptions {
  bool ignore_mismatched_sizes = false;  ///< as the caller asked from_pretrained
  bool list_keys = true;                 ///< name the missing and unexpected keys
};

/// What transformers' own load of this repo would report. `plan` is the transformers plan, null
/// without blueprint; `values` is null when values were not read.
[[nodiscard]] loaders::LoadReport load_report(const OpenedRepo& opened,
                                              const loaders::LoadPlan* plan,
                                              const rules::ValueFacts* values,
                                              const LoadOptions& options = {});

}  // namespace ckpt::pipeline
