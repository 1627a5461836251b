#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "validator/base/text.h"
#include "validator/rules/documents.h"

namespace ckpt::rules {
namespace cfg019 {

// Fields of this family's configs and of the quantization blocks, read or merely written by tools.
const std::vector<std::string>& known_keys() {
  static const std::vector<std::string> kKeys{"architectures",
                                              "attention_bias",
                                              "attention_dropout",
                                              "attn_output_gate",
                                              "autoround_version",
                                              "batch_size",
                                              "block_name_to_quantize",
                                              "bos_token_id",
                                              "checkpoint_format",
                                              "config_groups",
                                              "damp_percent",
                                              "data_type",
                                              "dataset",
                                              "deepstack_visual_indexes",
                                              "desc_act",
                                              "dtype",
                                              "enable_quanted_input",
                                              "eos_token_id",
                                              "extra_config",
                                              "full_attention_interval",
                                              "group_size",
                                              "head_dim",
                                              "hidden_act",
                                              "hidden_size",
                                              "image_token_id",
                                              "in_channels",
                                              "initializer_range",
                                              "intermediate_size",
                                              "kv_cache_scheme",
                                              "layer_types",
                                              "linear_conv_kernel_dim",
                                              "linear_key_head_dim",
                                              "linear_num_key_heads",
                                              "linear_num_value_heads",
                                              "linear_value_head_dim",
                                              "low_gpu_mem_usage",
                                              "mamba_ssm_dtype",
                                              "max_position_embeddings",
                                              "model_type",
                                              "modules_to_not_convert",
                                              "moe_intermediate_size",
                                              "mtp_num_hidden_layers",
                                              "mtp_use_dedicated_embeddings",
                                              "norm_topk_prob",
                                              "nsamples",
                                              "num_attention_heads",
                                              "num_experts",
                                              "num_experts_per_tok",
                                              "num_heads",
                                              "num_hidden_layers",
                                              "num_key_value_heads",
                                              "num_position_embeddings",
                                              "out_hidden_size",
                                              "output_router_logits",
                                              "packing_format",
                                              "pad_token_id",
                                              "partial_rotary_factor",
                                              "patch_size",
                                              "quant_method",
                                              "quantization_config",
                                              "quantization_status",
                                              "rms_norm_eps",
                                              "rope_parameters",
                                              "rope_scaling",
                                              "rope_theta",
                                              "router_aux_loss_coef",
                                              "sep_token_id",
                                              "shared_expert_intermediate_size",
                                              "sparsity_config",
                                              "spatial_merge_size",
                                              "temporal_patch_size",
                                              "text_config",
                                              "tie_word_embeddings",
                                              "to_quant_block_names",
                                              "torch_dtype",
                                              "transform_config",
                                              "transformers_version",
                                              "use_cache",
                                              "video_token_id",
                                              "vision_config",
                                              "vision_end_token_id",
                                              "vision_start_token_id",
                                              "vocab_size",
                                              "weight_block_size",
                                              "zero_point"};
  return kKeys;
}

constexpr std::size_t kMostLooked = 200;  // keys of one object: no config of this family has more

void look(const json::Value& object, const std::string& file, const std::string& pointer,
          const Emit& emit) {
  std::size_t looked = 0;
  object.each_member([&](const json::Member& m) {
    if (m.name.size() < 6 || m.name.size() > 40 || ++looked > kMostLooked) return;
    if (std::ranges::binary_search(known_keys(), m.name)) return;
    const std::string_view meant = nearest(m.name, known_keys());
    if (meant.empty()) return;
    Draft draft;
    draft.message = fmt::format("nobody reads `{}`; `{}` is near", shown(m.name, 40), meant);
    draft.subject = json::pointer_append(pointer, shown(m.name));
    draft.where.push_back(at_json(file, draft.subject, m.key));
    draft.fix = fmt::format("write `{}`", meant);
    emit(std::move(draft));
  });
}

void run(const RuleInput& in, const Emit& emit) {
  if (!in.config->supported) return;
  const json::Value root = config_root(in);
  look(root, "config.json", "", emit);
  if (in.config->nested) look(text_object(in), "config.json", in.config->text.pointer, emit);
  if (in.config->vision) look(root.find("vision_config"), "config.json", "/vision_config", emit);
  if (in.config->quant)
    look(in.config->quant->block.value, in.config->quant->file, in.config->quant->pointer, emit);
}

}  // namespace cfg019

extern const Rule kCFG019;
const Rule kCFG019{
    .code = "CFG019",
    .name = "key-misspelt",
    .severity = results::Severity::info,
    .what =
        "No key of config.json that nobody reads is one or two letters away from one that is "
        "read.",
    .why = "A misspelt key is ignored and the default used in its place, without a word.",
    .bad = "\"group_sise\": 32",
    .good = "\"group_size\": 32",
    .fix = "write the key as loaders read it",
    .sources = "loaders CFG016",
    .run = cfg019::run,
};

}  // namespace ckpt::rules
