#include <fmt/format.h>

#include "validator/rules/places.h"

namespace ckpt::rules {
namespace qnt009 {

/// The decay and write gates of the recurrence, which auto-round leaves alone.
bool is_gate(const std::string& name) {
  return name.ends_with("in_proj_a") || name.ends_with("in_proj_b");
}

/// auto-round's own recipe for this family: it wrote the config, at 4 bits or more, and in_proj_a
/// and in_proj_b of every layer stay at 16 bits.
bool own_recipe(const RuleInput& in, const std::vector<std::uint32_t>& packed) {
  if (!quantized_by(in, config::QuantMethod::auto_round)) return false;
  if (!in.config->quant->block.value.find("autoround_version")) return false;
  for (const std::uint32_t m : packed) {
    if (is_gate(in.blueprint->modules()[m].name) || in.stored->modules[m].bits < 4) return false;
  }
  return true;
}

void run(const RuleInput& in, const Emit& emit) {
  if (in.stored == nullptr) return;
  std::vector<std::uint32_t> packed;
  for (std::uint32_t i = 0; i < in.stored->modules.size(); ++i) {
    if (in.blueprint->modules()[i].cls == arch::ModuleClass::linear_attention &&
        quant::is_quantized(in.stored->modules[i].format)) {
      packed.push_back(i);
    }
  }
  if (packed.empty()) return;
  Draft draft;
  draft.message = fmt::format("{} stored quantized",
                              counted(packed.size(), arch::ModuleClass::linear_attention));
  draft.subject = in.blueprint->modules()[packed[0]].name;
  draft.count = packed.size();
  add_modules(in, packed, draft);
  if (own_recipe(in, packed)) draft.severity = results::Severity::info;
  draft.fix = "keep them at 16 bits, or measure the cost with `ckpt-check kl`";
  emit(std::move(draft));
}

}  // namespace qnt009

extern const Rule kQNT009;
const Rule kQNT009{
    .code = "QNT009",
    .name = "linear-attention-quantized",
    .severity = results::Severity::warning,
    .what = "No Gated DeltaNet projection is stored quantized.",
    .why =
        "Errors accumulate in the recurrent state, most through in_proj_a and in_proj_b, which "
        "set its decay; vLLM #40252 and #54252 report garbage from compressed-tensors files. "
        "auto-round by itself quantizes in_proj_qkv, in_proj_z and out_proj and leaves in_proj_a "
        "and in_proj_b: such files load and work in all loaders (mean KL 0.003 to 0.008 on two "
        "small trained models), so with auto-round's own config, 4 bits or more, and both gates "
        "at 16 bits this is information. Every other recipe, auto-round's with the gates "
        "quantized included, is a warning.",
    .bad = "linear_attn.in_proj_qkv.weight_packed",
    .good = "linear_attn.in_proj_qkv.weight",
    .fix = "keep them at 16 bits, or measure the cost with `ckpt-check kl`",
    .sources = "card 004; vllm #40252, #54252; golden pairs A and B; loaders QC030",
    .run = qnt009::run,
};

}  // namespace ckpt::rules
