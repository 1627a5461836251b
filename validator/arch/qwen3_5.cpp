// Qwen3.5 and Qwen3.6, MoE and dense: names and shapes of transformers 5.17 (models/qwen3_5_moe,
// models/qwen3_5) and of the published repos; MTP as vLLM 0.33 names it (models/qwen3_5_mtp.py).

#include <fmt/format.h>

#include "validator/arch/builder.h"

namespace ckpt::arch {
namespace {

using U = std::uint64_t;

U u(std::int64_t v) {
  return static_cast<U>(v);
}

class Describer {
 public:
  Describer(const config::ModelConfig& config, BlueprintBuilder& builder)
      : c_(config), t_(config.text), b_(builder), h_(u(config.text.hidden_size)) {}

  void run() {
    const std::string lm = c_.model_class == config::ModelClass::conditional_generation
                               ? "model.language_model."
                               : "model.";
    b_.set_text_prefix(lm);
    add(lm + "embed_tokens", ModuleClass::embedding, {u(t_.vocab_size), h_});
    for (int i = 0; i < static_cast<int>(t_.num_hidden_layers); ++i) {
      layer_ = i;
      decoder_layer(fmt::format("{}layers.{}.", lm, i), t_.layer_types[static_cast<std::size_t>(i)],
                    false);
    }
    layer_ = -1;
    add(lm + "norm", ModuleClass::norm, {h_});
    if (!t_.tie_word_embeddings) linear("lm_head", ModuleClass::head, u(t_.vocab_size), h_);
    if (c_.vision) vision(*c_.vision);
    if (t_.mtp_num_hidden_layers > 0) mtp();
  }

 private:
  const config::ModelConfig& c_;
  const config::TextConfig& t_;
  BlueprintBuilder& b_;
  U h_;
  int layer_ = -1;
  bool in_mtp_ = false;

  ModuleClass cls(ModuleClass own) const { return in_mtp_ ? ModuleClass::mtp : own; }

  void add(std::string name, ModuleClass own, Shape shape) {
    b_.add({.name = std::move(name), .cls = cls(own), .layer = layer_, .shape = std::move(shape)});
  }

  void linear(std::string name, ModuleClass own, U out, U in, bool bias = false) {
    b_.add({.name = std::move(name),
            .cls = cls(own),
            .linear = true,
            .bias = bias,
            .layer = layer_,
            .shape = {out, in}});
  }

  /// Stored in F32 by Qwen3.5 releases, in BF16 after a round trip through transformers.
  void float32_parameter(std::string name, bool bare, Shape shape) {
    b_.add({.name = std::move(name),
            .cls = cls(ModuleClass::linear_attention),
            .bare = bare,
            .float32_kept = true,
            .layer = layer_,
            .shape = std::move(shape)});
  }

  void decoder_layer(const std::string& p, config::LayerType type, bool is_mtp) {
    in_mtp_ = is_mtp;
    add(p + "input_layernorm", ModuleClass::norm, {h_});
    if (type == config::LayerType::full_attention) {
      full_attention(p + "self_attn.");
    } else {
      linear_attention(p + "linear_attn.");
    }
    add(p + "post_attention_layernorm", ModuleClass::norm, {h_});
    if (t_.moe) {
      moe(p + "mlp.", is_mtp);
    } else {
      mlp(p + "mlp.", ModuleClass::dense_mlp, u(t_.intermediate_size));
    }
  }

  void full_attention(const std::string& p) {
    const U d = u(t_.head_dim);
    const U q = u(t_.num_attention_heads) * d;
    const U kv = u(t_.num_key_value_heads) * d;
    const bool bias = t_.attention_bias;
    // Per head: D query rows, then D rows of the output gate.
    linear(p + "q_proj", ModuleClass::full_attention, 2 * q, h_, bias);
    linear(p + "k_proj", ModuleClass::full_attention, kv, h_, bias);
    linear(p + "v_proj", ModuleClass::full_attention, kv, h_, bias);
    linear(p + "o_proj", ModuleClass::full_attention, h_, q, bias);
    add(p + "q_norm", ModuleClass::norm, {d});
    add(p + "k_norm", ModuleClass::norm, {d});
  }

  void linear_attention(const std::string& p) {
    const ModuleClass own = ModuleClass::linear_attention;
    const U nv = u(t_.linear_num_value_heads);
    const U channels = u(t_.conv_dim());
    linear(p + "in_proj_qkv", own, channels, h_);
    linear(p + "in_proj_z", own, u(t_.value_dim()), h_);
    linear(p + "in_proj_b", own, nv, h_);
    linear(p + "in_proj_a", own, nv, h_);
    add(p + "conv1d", own, {channels, 1, u(t_.linear_conv_kernel_dim)});
    float32_parameter(p + "A_log", true, {nv});
    b_.add({.name = p + "dt_bias", .cls = cls(own), .bare = true, .layer = layer_, .shape = {nv}});
    float32_parameter(p + "norm", false, {u(t_.linear_value_head_dim)});
    linear(p + "out_proj", own, h_, u(t_.value_dim()));
  }

  void mlp(const std::string& p, ModuleClass own, U inner) {
    linear(p + "gate_proj", own, inner, h_);
    linear(p + "up_proj", own, inner, h_);
    linear(p + "down_proj", own, h_, inner);
  }

  void moe(const std::string& p, bool is_mtp) {
    linear(p + "gate", ModuleClass::router, u(t_.num_experts), h_);
    b_.add_experts(p + "experts", layer_, is_mtp, u(t_.num_experts), u(t_.moe_intermediate_size),
                   h_);
    mlp(p + "shared_expert.", ModuleClass::shared_expert, u(t_.shared_expert_intermediate_size));
    linear(p + "shared_expert_gate", ModuleClass::shared_expert_gate, 1, h_);
  }

  void vision_norm(const std::string& name, U width) {
    b_.add({.name = name,
            .cls = ModuleClass::vision,
            .bias = true,
            .layer = layer_,
            .shape = {width}});
  }

  void vision(const config::VisionConfig& v) {
    const std::string p = "model.visual.";
    const ModuleClass own = ModuleClass::vision;
    const U width = u(v.hidden_size);
    const U merged = u(v.spatial_merge_size) * u(v.spatial_merge_size) * width;
    b_.add({.name = p + "patch_embed.proj",
            .cls = own,
            .bias = true,
            .shape = {width, u(v.in_channels), u(v.temporal_patch_size), u(v.patch_size),
                      u(v.patch_size)}});
    add(p + "pos_embed", own, {u(v.num_position_embeddings), width});
    for (int j = 0; j < static_cast<int>(v.depth); ++j) {
      layer_ = j;
      const std::string block = fmt::format("{}blocks.{}.", p, j);
      vision_norm(block + "norm1", width);
      vision_norm(block + "norm2", width);
      linear(block + "attn.qkv", own, 3 * width, width, true);
      linear(block + "attn.proj", own, width, width, true);
      linear(block + "mlp.linear_fc1", own, u(v.intermediate_size), width, true);
      linear(block + "mlp.linear_fc2", own, width, u(v.intermediate_size), true);
    }
    layer_ = -1;
    vision_norm(p + "merger.norm", width);
    linear(p + "merger.linear_fc1", own, merged, merged, true);
    linear(p + "merger.linear_fc2", own, u(v.out_hidden_size), merged, true);
  }

  void mtp() {
    in_mtp_ = true;
    linear("mtp.fc", ModuleClass::mtp, h_, 2 * h_);
    add("mtp.pre_fc_norm_embedding", ModuleClass::mtp, {h_});
    add("mtp.pre_fc_norm_hidden", ModuleClass::mtp, {h_});
    add("mtp.norm", ModuleClass::mtp, {h_});
    for (int j = 0; j < static_cast<int>(t_.mtp_num_hidden_layers); ++j) {
      layer_ = j;
      decoder_layer(fmt::format("mtp.layers.{}.", j), config::LayerType::full_attention, true);
    }
    in_mtp_ = false;
  }
};

}  // namespace

void describe_qwen3_5(const config::ModelConfig& config, BlueprintBuilder& builder) {
  Describer(config, builder).run();
}

}  // namespace ckpt::arch
