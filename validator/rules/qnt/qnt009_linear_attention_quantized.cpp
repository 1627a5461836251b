#include "validator/rules/places.h"

#include <fmt/format.h>

namespace ckpt::rules {
namespace {

void run(const RuleInput& in, const Emit& emit) {
  if (in.stored == nullptr) return;
  std::vector<std::uint32_t> found;
  for (std::uint32_t i = 0; i < in.stored->modules.size(); ++i) {
    const arch::Module& m = in.blueprint->modules()[i];
    if (m.cls == arch::ModuleClass::linear_attention &&
        quant::is_quantized(in.stored->modules[i].format))
      found.push_back(i);
  }
  if (found.empty()) return;
  Draft draft;
  draft.message = fmt::format("{} stored quantized",
                              counted(found.size(), arch::ModuleClass::linear_attention));
  draft.subject = in.blueprint->modules()[found[0]].name;
  draft.count = found.size();
  add_modules(in, found, draft);
  draft.effects = {};
  draft.fix = "keep them at 16 bits, or measure the cost with `ckpt-check kl`";
  emit(std::move(draft));
}

}  // namespace

extern const Rule kQNT009;
const Rule kQNT009{
    .code = "QNT009",
    .name = "linear-attention-quantized",
    .severity = results::Severity::warning,
    .what = "No Gated DeltaNet projection is stored quantized.",
    .why =
        "Errors accumulate in the recurrent state; publishers and vLLM #40252 advise "
        "against it. auto-round quantizes in_proj_qkv, in_proj_z and out_proj by default, "
        "and such repos load and work: a matter of policy, measure it with `kl`.",
    .bad = "linear_attn.in_proj_qkv.weight_packed",
    .good = "linear_attn.in_proj_qkv.weight",
    .fix = "keep them at 16 bits, or measure the cost with `ckpt-check kl`",
    .sources = "card 004; vllm #40252; golden pairs A and B",
    .run = run,
};

}  // namespace ckpt::rules
