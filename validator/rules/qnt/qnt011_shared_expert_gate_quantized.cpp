#include "validator/rules/places.h"

#include <fmt/format.h>

namespace ckpt::rules {
namespace {

void run(const RuleInput& in, const Emit& emit) {
  if (in.stored == nullptr) return;
  std::vector<std::uint32_t> found;
  for (std::uint32_t i = 0; i < in.stored->modules.size(); ++i) {
    const arch::Module& m = in.blueprint->modules()[i];
    if (m.cls == arch::ModuleClass::shared_expert_gate &&
        quant::is_quantized(in.stored->modules[i].format))
      found.push_back(i);
  }
  if (found.empty()) return;
  Draft draft;
  draft.message = fmt::format("{} stored quantized",
                              counted(found.size(), arch::ModuleClass::shared_expert_gate));
  draft.subject = in.blueprint->modules()[found[0]].name;
  draft.count = found.size();
  add_modules(in, found, draft);
  draft.effects = effects_on(in, found);
  draft.fix = "copy it from the base model and exclude it";
  emit(std::move(draft));
}

}  // namespace

extern const Rule kQNT011;
const Rule kQNT011{
    .code = "QNT011",
    .name = "shared-expert-gate-quantized",
    .severity = results::Severity::error,
    .what = "No `shared_expert_gate` is stored quantized.",
    .why =
        "It has one output row, which cannot be packed; vLLM builds it without a "
        "quantization config.",
    .bad = "mlp.shared_expert_gate.qweight",
    .good = "mlp.shared_expert_gate.weight",
    .fix = "copy it from the base model and exclude it",
    .sources = "card 001; loaders 2.6",
    .run = run,
};

}  // namespace ckpt::rules
