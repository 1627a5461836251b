#pragma once
// Typed views of config.json. A field that is absent means its default; a field that is wrong is a
// defect and its default is used, so that reading goes on.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "validator/base/json.h"
#include "validator/config/quant_config.h"
#include "validator/repo/repo.h"

namespace ckpt::config {

enum class DefectKind : std::uint8_t {
  missing_file,
  unreadable,  ///< not JSON, too large, refused by the system
  duplicate_key,
  wrong_type,
  out_of_range,
  unknown_value,
  inconsistent,  ///< two fields contradict each other
  unsupported_architecture,
  class_shape,  ///< nested class with a flat config or the reverse
};

struct Defect {
  DefectKind kind = DefectKind::wrong_type;
  std::string file = "config.json";
  std::string pointer;
  json::Value place;    ///< where, when there is a value to point at
  std::string message;  ///< safe to show
};

enum class LayerType : std::uint8_t { linear_attention, full_attention };

struct RopeConfig {
  std::string type = "default";  ///< default, yarn
  double theta = 10000;
  double partial_rotary_factor = 0.25;
  std::vector<std::int64_t> mrope_section{11, 11, 10};
  bool mrope_interleaved = true;
  double factor = 1;
  double original_max_position = 0;
  double beta_fast = 32;
  double beta_slow = 1;
  bool truncate = true;
  std::optional<double> attention_factor;
  std::optional<double> mscale;
  std::optional<double> mscale_all_dim;
};

/// Text part of Qwen3.5 / Qwen3.6; names and defaults of transformers 5.17.
struct TextConfig {
  bool moe = true;
  std::int64_t vocab_size = 248320;
  std::int64_t hidden_size = 2048;
  std::int64_t num_hidden_layers = 40;
  std::int64_t num_attention_heads = 16;
  std::int64_t num_key_value_heads = 2;
  std::int64_t head_dim = 256;
  bool attention_bias = false;
  double rms_norm_eps = 1e-6;
  std::vector<LayerType> layer_types;  ///< one per layer, always filled
  std::int64_t linear_num_key_heads = 16;
  std::int64_t linear_num_value_heads = 32;
  std::int64_t linear_key_head_dim = 128;
  std::int64_t linear_value_head_dim = 128;
  std::int64_t linear_conv_kernel_dim = 4;
  std::int64_t num_experts = 256;
  std::int64_t num_experts_per_tok = 8;
  std::int64_t moe_intermediate_size = 512;
  std::int64_t shared_expert_intermediate_size = 512;
  std::int64_t intermediate_size = 12288;  ///< dense models
  bool tie_word_embeddings = false;
  std::int64_t max_position_embeddings = 32768;
  std::int64_t mtp_num_hidden_layers = 0;
  RopeConfig rope;
  std::string pointer;  ///< `` or `/text_config`

  [[nodiscard]] std::int64_t key_dim() const { return linear_num_key_heads * linear_key_head_dim; }

  [[nodiscard]] std::int64_t value_dim() const {
    return linear_num_value_heads * linear_value_head_dim;
  }

  /// Channels of the convolution: all q heads, all k heads, all v heads.
  [[nodiscard]] std::int64_t conv_dim() const { return 2 * key_dim() + value_dim(); }
};

struct VisionConfig {
  std::int64_t depth = 27;
  std::int64_t hidden_size = 1152;
  std::int64_t num_heads = 16;
  std::int64_t intermediate_size = 4304;
  std::int64_t patch_size = 16;
  std::int64_t temporal_patch_size = 2;
  std::int64_t spatial_merge_size = 2;
  std::int64_t in_channels = 3;
  std::int64_t num_position_embeddings = 2304;
  std::int64_t out_hidden_size = 3584;
  std::string hidden_act = "gelu_pytorch_tanh";
  bool deepstack = false;  ///< deepstack_visual_indexes names layers: not computed here
  double rope_theta = 10000;
  std::int64_t image_token_id = 248056;  ///< top level of the config, as the next two
  std::int64_t vision_start_token_id = 248053;
  std::int64_t vision_end_token_id = 248054;
};

/// A declared dtype: `dtype` or `torch_dtype`, at the top, in text_config or in vision_config.
struct DtypeField {
  std::string pointer;
  std::string value;
  json::Member member;
};

enum class ModelClass : std::uint8_t { causal_lm, conditional_generation };

struct ModelConfig {
  std::shared_ptr<const json::Document> document;  ///< null when config.json could not be read
  std::string architecture;                        ///< architectures[0], as written
  ModelClass model_class = ModelClass::causal_lm;
  bool supported = false;  ///< qwen3_5_moe or qwen3_5
  bool nested = false;     ///< text fields live in text_config
  TextConfig text;
  std::optional<VisionConfig> vision;  ///< only for conditional_generation
  std::vector<DtypeField> dtypes;
  std::optional<QuantConfig> quant;
  std::vector<Defect> defects;
};

/// Reads config.json and, when it has no quantization block, the side file of the method
/// (quantization_config.json, quantize_config.json). Never fails: see `defects`.
[[nodiscard]] ModelConfig read_model_config(const repo::Repo& repo);

}  // namespace ckpt::config
