#include "validator/forward/mixer.h"

#include <algorithm>

namespace ckpt::forward {

namespace {

constexpr std::string_view kAttention[] = {
    "input_layernorm",  "self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj",
    "self_attn.q_norm", "self_attn.k_norm", "self_attn.o_proj"};

constexpr std::string_view kDeltaNet[] = {"input_layernorm",       "linear_attn.in_proj_qkv",
                                          "linear_attn.in_proj_z", "linear_attn.in_proj_b",
                                          "linear_attn.in_proj_a", "linear_attn.conv1d",
                                          "linear_attn.A_log",     "linear_attn.dt_bias",
                                          "linear_attn.norm",      "linear_attn.out_proj"};

Result<AttentionWeights> load_attention(WeightFeed& feed) {
  AttentionWeights w;
  CKPT_TRY(w.input_norm, feed.next_vector(), "attention");
  CKPT_TRY(w.q_proj, feed.next_linear(), "attention");
  CKPT_TRY(w.k_proj, feed.next_linear(), "attention");
  CKPT_TRY(w.v_proj, feed.next_linear(), "attention");
  CKPT_TRY(w.q_norm, feed.next_vector(), "attention");
  CKPT_TRY(w.k_norm, feed.next_vector(), "attention");
  CKPT_TRY(w.o_proj, feed.next_linear(), "attention");
  return w;
}

Result<DeltaNetWeights> load_delta_net(WeightFeed& feed) {
  DeltaNetWeights w;
  CKPT_TRY(w.input_norm, feed.next_vector(), "delta net");
  CKPT_TRY(w.in_proj_qkv, feed.next_linear(), "delta net");
  CKPT_TRY(w.in_proj_z, feed.next_linear(), "delta net");
  CKPT_TRY(w.in_proj_b, feed.next_linear(), "delta net");
  CKPT_TRY(w.in_proj_a, feed.next_linear(), "delta net");
  CKPT_TRY(w.conv, feed.next_vector(), "delta net");
  CKPT_TRY(w.a_log, feed.next_vector(), "delta net");
  CKPT_TRY(w.dt_bias, feed.next_vector(), "delta net");
  CKPT_TRY(w.norm, feed.next_vector(), "delta net");
  CKPT_TRY(w.out_proj, feed.next_linear(), "delta net");
  return w;
}

bool same(const Linear& a, const Linear& b) {
  return weights::same_bytes(a.parameter, b.parameter);
}

}  // namespace

std::span<const std::string_view> mixer_modules(config::LayerType type) {
  if (type == config::LayerType::full_attention) return kAttention;
  return kDeltaNet;
}

Result<MixerWeights> load_mixer(config::LayerType type, WeightFeed& feed) {
  MixerWeights w;
  if (type == config::LayerType::full_attention) {
    CKPT_TRY(w.attention, load_attention(feed), "weights");
  } else {
    CKPT_TRY(w.delta_net, load_delta_net(feed), "weights");
  }
  return w;
}

bool same_weights(const MixerWeights& a, const MixerWeights& b) {
  if (a.attention && b.attention) {
    const AttentionWeights& x = *a.attention;
    const AttentionWeights& y = *b.attention;
    return x.input_norm == y.input_norm && x.q_norm == y.q_norm && x.k_norm == y.k_norm &&
           same(x.q_proj, y.q_proj) && same(x.k_proj, y.k_proj) && same(x.v_proj, y.v_proj) &&
           same(x.o_proj, y.o_proj);
  }
  if (!a.delta_net || !b.delta_net) return false;
  const DeltaNetWeights& x = *a.delta_net;
  const DeltaNetWeights& y = *b.delta_net;
  return x.input_norm == y.input_norm && x.conv == y.conv && x.a_log == y.a_log &&
         x.dt_bias == y.dt_bias && x.norm == y.norm && same(x.in_proj_qkv, y.in_proj_qkv) &&
         same(x.in_proj_z, y.in_proj_z) && same(x.in_proj_b, y.in_proj_b) &&
         same(x.in_proj_a, y.in_proj_a) && same(x.out_proj, y.out_proj);
}

Result<void> run_mixer(const Context& context, const MixerWeights& weights, const kernels::Rows& x,
                       std::span<const std::int64_t> starts, const TapSource& tap,
                       const kernels::Rows& out) {
  if (weights.attention) return run_attention(context, *weights.attention, x, starts, tap, out);
  return run_delta_net(context, *weights.delta_net, x, starts, tap, out);
}

std::int64_t mixer_floats(const config::TextConfig& c) {
  const std::int64_t heads = c.num_attention_heads * c.head_dim;
  const std::int64_t kv = c.num_key_value_heads * c.head_dim;
  const std::int64_t attention = c.hidden_size + 3 * heads + 2 * kv;
  const std::int64_t delta =
      c.hidden_size + 2 * c.conv_dim() + c.value_dim() + 2 * c.linear_num_value_heads;
  return std::max(attention, delta);
}

}  // namespace ckpt::forward
