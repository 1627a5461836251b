#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "validator/base/json.h"

namespace ckpt::config {

enum class QuantMethod : std::uint8_t {
  auto_round,
  gptq,
  awq,
  compressed_tensors,
  fp8,
  modelopt,
  mxfp4,
  bitsandbytes,
  unknown,
};

/// One entry of AutoRound's `extra_config`; only the keys that differ from the global scheme.
struct Override {
  std::string key;
  json::Member member;  ///< place
  std::optional<std::int64_t> bits;
  std::optional<std::int64_t> group_size;
  std::optional<bool> sym;
  std::optional<bool> desc_act;
  std::optional<std::string> data_type;
};

/// One pattern of a list (block_name_to_quantize, ignore, targets, modules_to_not_convert).
struct Pattern {
  std::string text;
  json::Value place;
};

/// QArgs of a compressed-tensors group.
struct QuantArgs {
  std::int64_t num_bits = 8;
  std::string type = "int";
  bool symmetric = true;
  std::string strategy;  ///< tensor, channel, group, block, ...; resolved when absent
  std::int64_t group_size = -1;
  std::string actorder;
};

struct ConfigGroup {
  std::string name;
  std::vector<Pattern> targets;
  std::optional<QuantArgs> weights;
  bool input_activations = false;
  std::int64_t input_bits = 0;  ///< of the input activations, 0 when they are not quantized
  std::string format;
  json::Value place;
};

/// The quantization block, whatever the method; fields of other methods keep their defaults.
struct QuantConfig {
  QuantMethod method = QuantMethod::unknown;
  std::string method_text;  ///< as written
  std::string file = "config.json";
  std::string pointer;  ///< of the block
  std::shared_ptr<const json::Document> document;
  json::Member block;

  // AutoRound, GPTQ, AWQ
  std::optional<std::int64_t> bits;
  std::optional<std::int64_t> group_size;
  std::vector<std::int64_t> group_pair;  ///< group_size given as a list (FP8 blocks)
  std::optional<bool> sym;
  std::string data_type = "int";
  std::string packing_format;
  std::string backend;        ///< backend, vllm_backend or sglang_backend
  bool lm_head = false;       ///< the head is quantized too (GPTQ, AWQ)
  bool blocks_given = false;  ///< block_name_to_quantize or to_quant_block_names is present
  bool blocks_is_list = false;
  bool blocks_nested = false;  ///< a list of lists
  std::string blocks_text;     ///< the string form as written
  std::vector<Pattern> blocks;
  std::vector<Override> overrides;  ///< file order

  // GPTQ
  std::optional<bool> desc_act;
  std::string checkpoint_format;
  std::vector<Override> dynamic;          ///< keys with their `+:` or `-:`
  std::vector<Pattern> modules_in_block;  ///< modules_in_block_to_quantize, flattened

  // AWQ, FP8
  bool exclusions_given = false;  ///< modules_to_not_convert is present and not null
  std::vector<Pattern> modules_to_not_convert;
  std::vector<Pattern> ignored_layers;
  std::optional<bool> zero_point;
  std::string activation_scheme;
  bool weight_block_given = false;
  std::vector<std::int64_t> weight_block_size;

  // compressed-tensors
  std::string format;
  std::vector<ConfigGroup> groups;  ///< file order
  std::vector<Pattern> ignore;
};

struct ModelConfig;

/// Reads a quantization block; problems go to `defects` of `model`.
void read_quant_config(const std::string& file, std::shared_ptr<const json::Document> document,
                       const std::string& pointer, const json::Member& block, ModelConfig& model);

}  // namespace ckpt::config
