#include "validator/pipeline/estimate.h"

#include <fmt/format.h>

#include <algorithm>

#include "validator/base/text.h"

namespace ckpt::pipeline {
namespace {

using arch::ModuleClass;
using U = std::uint64_t;

constexpr U kHalf = 2;   // bytes of a 16-bit number
constexpr U kFloat = 4;  // bytes of an F32
constexpr U kByteBits = 8;

U u(std::int64_t v) {
  return static_cast<U>(std::max<std::int64_t>(v, 0));
}

U ceil_div(U a, U b) {
  return (a + b - 1) / b;
}

bool held_whole(ModuleClass c) {
  return c == ModuleClass::norm || c == ModuleClass::router ||
         c == ModuleClass::shared_expert_gate || c == ModuleClass::vision;
}

/// Adds up the stored tensors, each once, by what the loader does with its module.
void weigh(const OpenedRepo& o, U gpus, Estimate& out) {
  std::vector<bool> seen(o.checkpoint.tensors().size());
  U cut = 0;
  U whole = 0;
  for (std::size_t i = 0; i < o.stored.modules.size(); ++i) {
    const arch::Module& m = o.blueprint->modules()[i];
    for (const std::int32_t t : o.stored.modules[i].tensor) {
      if (t < 0 || seen[static_cast<std::size_t>(t)]) continue;
      seen[static_cast<std::size_t>(t)] = true;
      const U bytes = o.checkpoint.tensors()[static_cast<std::size_t>(t)].bytes();
      if (m.cls == ModuleClass::mtp) {
        out.draft_head += bytes;
      } else if (held_whole(m.cls)) {
        whole += bytes;
        if (m.cls == ModuleClass::vision) out.vision += bytes;
      } else {
        cut += bytes;
      }
    }
  }
  for (const container::Tensor& t : o.checkpoint.tensors()) out.tensor_bytes += t.bytes();
  out.weights_per_gpu = whole + ceil_div(cut, gpus);
}

/// Buffers of one prefill step: residual, norm and the widest output of a layer for every token,
/// the routed experts' intermediate values, and logits of one token per sequence.
U activations(const config::TextConfig& t, const EstimateArgs& a, U sequences) {
  const U gpus = a.tensor_parallel;
  const U attention = u((2 * t.num_attention_heads + 2 * t.num_key_value_heads) * t.head_dim);
  const U linear = u(t.conv_dim() + t.value_dim());
  const U mlp =
      t.moe ? 3 * u(t.num_experts_per_tok * t.moe_intermediate_size) : 3 * u(t.intermediate_size);
  const U widest = ceil_div(std::max({attention, linear, mlp}), gpus);
  return a.batched_tokens * (2 * u(t.hidden_size) + widest) * kHalf +
         sequences * ceil_div(u(t.vocab_size), gpus) * kFloat;
}

}  // namespace

Result<Estimate> estimate(const OpenedRepo& o, const EstimateArgs& a) {
  if (!o.blueprint) {
    return fail(ErrorKind::unsupported,
                fmt::format("{}: no architecture known here, memory cannot be told",
                            shown(o.repo.input())));
  }
  const config::TextConfig& t = o.config.text;
  const U gpus = a.tensor_parallel;
  const U kv_heads = u(t.num_key_value_heads);
  const bool kv_even = kv_heads % gpus == 0 || gpus % kv_heads == 0;
  if (u(t.num_attention_heads) % gpus != 0 || u(t.linear_num_value_heads) % gpus != 0 ||
      u(t.linear_num_key_heads) % gpus != 0 || !kv_even) {
    return fail(
        ErrorKind::usage,
        fmt::format("{} GPUs cannot share {} attention heads, {} key-value heads and {} "
                    "linear-attention heads evenly",
                    gpus, t.num_attention_heads, t.num_key_value_heads, t.linear_num_key_heads));
  }
  Estimate e;
  for (const repo::Entry& f : o.repo.entries()) e.disk += f.bytes;
  weigh(o, gpus, e);
  const auto full =
      static_cast<U>(std::ranges::count(t.layer_types, config::LayerType::full_attention));
  const U linear = t.layer_types.size() - full;
  e.kv_per_token = 2 * full * ceil_div(kv_heads, gpus) * u(t.head_dim) * a.kv_bits / kByteBits;
  e.conv_per_sequence = linear * u(t.conv_dim()) / gpus * u(t.linear_conv_kernel_dim - 1) * kHalf;
  e.delta_per_sequence = linear * u(t.linear_num_value_heads) / gpus * u(t.linear_key_head_dim) *
                         u(t.linear_value_head_dim) * kFloat;
  for (const U context : a.contexts) {
    for (const U sequences : a.sequences) {
      EstimateRow row{.context = context, .sequences = sequences};
      row.kv_cache = context * sequences * e.kv_per_token;
      row.recurrent = sequences * (e.conv_per_sequence + e.delta_per_sequence);
      row.total = e.weights_per_gpu + row.kv_cache + row.recurrent + activations(t, a, sequences);
      e.rows.push_back(row);
    }
  }
  e.activations = activations(t, a, 1);
  return e;
}

}  // namespace ckpt::pipeline
