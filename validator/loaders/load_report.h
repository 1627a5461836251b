#pragma once
// What transformers' from_pretrained would report of a repo: keys, and how the load ends. Predicted
// from config and headers, and from values where they were read; checked against recorded loads.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "validator/loaders/plan.h"

namespace ckpt::loaders {

enum class LoadVerdict : std::uint8_t {
  loads,             ///< no missing key, nothing known to be wrong
  wrong_output,      ///< no missing key, finite, computes something else than was stored
  nonfinite,         ///< no missing key, NaN or Inf in the logits
  random,            ///< missing keys: random parameters
  random_nonfinite,  ///< the same over uninitialised memory, which may hold NaN
  fails_load,        ///< from_pretrained raises
  fails_forward,     ///< the first forward pass raises
  exits,             ///< the process ends inside from_pretrained
};
/// `fails_load`, ...: as the enumerator.
[[nodiscard]] std::string_view verdict_name(LoadVerdict verdict);

/// What reading values added; both lists ascend (indices into Checkpoint::tensors()).
struct LoadValues {
  std::vector<std::uint32_t> nonfinite;  ///< tensors with NaN or Inf
  std::vector<std::uint32_t>
      odd;  ///< scales that hold zeros, zero points no symmetric writer makes
};

struct LoadReport {
  LoadVerdict verdict = LoadVerdict::loads;
  std::string error;                 ///< type of the exception, when one is predicted
  std::string why;                   ///< one line; empty for `loads`
  std::vector<std::string> missing;  ///< parameters that stay random, transformers' names, sorted
  std::vector<std::string> unexpected;  ///< stored names that nothing takes, sorted
};

/// What a report is made from. Everything belongs together; `plan` is the transformers plan.
struct LoadInput {
  const config::ModelConfig& config;
  const arch::Blueprint* blueprint;  ///< null when the architecture is not known
  const container::Checkpoint& checkpoint;
  const LoadPlan* plan;                  ///< null without blueprint
  const LoadValues* values;              ///< null when values were not read
  bool ignore_mismatched_sizes = false;  ///< as the caller asked from_pretrained
  bool list_keys = true;                 ///< fill `missing` and `unexpected`, else the verdict only
};

/// Predicts a load on a CPU with transformers 5.17, auto-round 0.15.1 and compressed-tensors 0.19,
/// `dtype="auto"`, by the class that the config names.
[[nodiscard]] LoadReport predict_load(const LoadInput& input);

}  // namespace ckpt::loaders
