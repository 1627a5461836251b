#pragma once
// What rules see: everything to their left in the data flow, already read.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "validator/arch/blueprint.h"
#include "validator/base/json.h"
#include "validator/config/model_config.h"
#include "validator/container/checkpoint.h"
#include "validator/loaders/gpu.h"
#include "validator/loaders/plan.h"
#include "validator/quant/stored.h"
#include "validator/repo/repo.h"
#include "validator/results/results.h"

namespace ckpt::repo {
struct ModelCard;
}

namespace ckpt::rules {

struct Recipe;

/// What a read of the values found in one tensor. Indices are row-major; fields that do not apply
/// to the tensor keep their defaults.
struct ValueFact {
  std::uint32_t tensor = 0;
  std::uint64_t elements = 0;
  // Floats.
  std::uint64_t nan = 0;
  std::uint64_t inf = 0;
  std::uint64_t zero = 0;
  std::uint64_t first_bad = 0;  ///< first NaN or Inf
  std::uint64_t first_zero = 0;
  // Scales.
  std::uint64_t negative = 0;
  std::uint64_t tiny = 0;        ///< not zero, but at the writers' clamp or subnormal in F16
  double sum_of_magnitudes = 0;  ///< of the finite ones
  // Packed words of 1, 2, 4 or 8 bits a code.
  unsigned code_bits = 0;          ///< 0: not counted
  std::uint32_t codes_used = 0;    ///< different codes that occur
  double code_entropy = 0;         ///< bits
  double extreme_codes = 0;        ///< share of the lowest and the highest code
  std::uint64_t code_groups = 0;   ///< groups looked at, 0 when the layout is not followed
  std::uint64_t dead_groups = 0;   ///< groups in which every code is the zero point
  std::uint64_t highest_code = 0;  ///< codes that are 2^bits - 1
  // Stored zero points.
  std::uint64_t zeros_v1 = 0;  ///< words that say 2^(bits-1) in a v1 file
  std::uint64_t zeros_v2 = 0;  ///< words that say 2^(bits-1) in a v2 file
  // compressed-tensors `weight_shape`.
  std::int64_t stored_rows = -1;
  std::int64_t stored_columns = -1;
  // g_idx.
  bool nontrivial_g_idx = false;  ///< g_idx[k] is not k div group_size
  bool g_idx_out_of_range = false;
};

/// A hash of the bytes of one expert's part of a tensor (all of it, or one slice of a stack).
struct ContentHash {
  std::uint32_t tensor = 0;
  std::uint32_t slice = 0;
  std::uint64_t hash = 0;
};

/// One fact per tensor that was read, by tensor; contents of routed experts by tensor and slice.
struct ValueFacts {
  std::vector<ValueFact> facts;
  std::vector<ContentHash> contents;
};

/// One module held against the same module of the base.
struct BaseFact {
  std::uint32_t module = 0;
  std::uint64_t elements = 0;
  bool packed = false;            ///< quantized here
  bool equal = false;             ///< the same values, whatever the dtypes
  bool cast = false;              ///< plain, and equal to the base rounded to this dtype
  bool round_trip = false;        ///< a norm stored as w + 1 and back, in BF16
  std::uint64_t overflowed = 0;   ///< finite in the base, Inf here
  std::uint64_t flushed = 0;      ///< not 0 in the base, 0 here
  std::uint64_t beyond = 0;       ///< packed: further from the base than one step
  std::uint64_t off_nearest = 0;  ///< packed: not the nearest code, ends of the range left out
  double error = 0;               ///< ||this - base||_F / ||base||_F
  std::int32_t holds = -1;        ///< base module whose values these are instead, -1 unknown
};

/// What a comparison with the base found; modules that only one side has are not in it.
struct BaseFacts {
  std::vector<BaseFact> facts;           ///< by module
  std::uint64_t vocabulary_differs = 0;  ///< entries of the base that are missing or other here
  std::string vocabulary_first;          ///< the first of them, safe to show
};

/// Bytes that serving takes on each device (`estimate`).
struct ServedBytes {
  std::uint64_t weights = 0;
  std::uint64_t rest = 0;     ///< KV cache, states and activations of one sequence
  std::uint64_t context = 0;  ///< its length
};

/// A JSON file beside the weights, as far as it could be read.
struct SideFile {
  bool present = false;
  std::string error;  ///< why it could not be read
  std::shared_ptr<const json::Document> document;
};

struct RuleInput {
  const repo::Repo* repo = nullptr;
  const container::Checkpoint* checkpoint = nullptr;
  const config::ModelConfig* config = nullptr;
  const arch::Blueprint* blueprint = nullptr;  ///< null when there is none
  std::string blueprint_error;
  const quant::StoredModel* stored = nullptr;  ///< null without blueprint
  const loaders::LoadPlan* intent = nullptr;   ///< null without blueprint
  std::vector<loaders::LoadPlan> plans;        ///< empty without blueprint
  SideFile tokenizer_config;
  SideFile tokenizer;
  SideFile generation_config;
  SideFile preprocessor_config;
  SideFile video_preprocessor_config;
  SideFile processor_config;
  SideFile quantization_config;              ///< `quantization_config.json`, beside the block
  std::optional<std::string> chat_template;  ///< text of `chat_template.jinja`
  const repo::ModelCard* card = nullptr;     ///< null when there is no readable README.md
  std::uint64_t tensor_parallel = 0;         ///< GPUs that will share every layer; 0: not said
  std::uint64_t expert_parallel = 0;         ///< GPUs that will share the experts; 0: not said
  std::optional<loaders::Gpu> gpu;           ///< the device to serve on; none: not said
  std::optional<ServedBytes> served;         ///< none when it cannot be estimated
  const ValueFacts* values = nullptr;        ///< null when values were not read
  const BaseFacts* base = nullptr;           ///< null without a base to compare with
  const Recipe* recipe = nullptr;            ///< null when none is stated
  bool preview = false;                      ///< rules in preview run as well
  std::vector<results::Finding> earlier;     ///< findings of the rules before this one
};

}  // namespace ckpt::rules
