#pragma once
// What rules see: everything to their left in the data flow, already read.

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "validator/arch/blueprint.h"
#include "validator/base/json.h"
#include "validator/config/model_config.h"
#include "validator/container/checkpoint.h"
#include "validator/loaders/plan.h"
#include "validator/quant/stored.h"
#include "validator/repo/repo.h"
#include "validator/results/results.h"

namespace ckpt::rules {

/// What a read of the values found in one tensor. Indices are row-major.
struct ValueFact {
  std::uint32_t tensor = 0;
  std::uint64_t nan = 0;
  std::uint64_t inf = 0;
  std::uint64_t zero = 0;
  std::uint64_t elements = 0;
  std::uint64_t first_bad = 0;  ///< first NaN or Inf
  std::uint64_t first_zero = 0;
  bool nontrivial_g_idx = false;  ///< g_idx[k] is not k div group_size
  bool g_idx_out_of_range = false;
};

/// Only tensors with something to say.
struct ValueFacts {
  std::vector<ValueFact> facts;
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
  const ValueFacts* values = nullptr;     ///< null when values were not read
  std::vector<results::Finding> earlier;  ///< findings of the rules before this one
};

}  // namespace ckpt::rules
