#include "validator/rules/places.h"

#include <fmt/format.h>

namespace ckpt::rules {
namespace {

void run(const RuleInput& in, const Emit& emit) {
  if (in.stored == nullptr) return;
  std::vector<std::uint32_t> found;
  for (std::uint32_t i = 0; i < in.stored->modules.size(); ++i) {
    const arch::Module& m = in.blueprint->modules()[i];
    if (m.cls == arch::ModuleClass::router && quant::is_quantized(in.stored->modules[i].format))
      found.push_back(i);
  }
  if (found.empty()) return;
  Draft draft;
  draft.message =
      fmt::format("{} stored quantized", counted(found.size(), arch::ModuleClass::router));
  draft.subject = in.blueprint->modules()[found[0]].name;
  draft.count = found.size();
  add_modules(in, found, draft);
  draft.effects = effects_on(in, found);
  draft.fix = "copy `mlp.gate.weight` from the base model and exclude it";
  emit(std::move(draft));
}

}  // namespace

extern const Rule kQNT010;
const Rule kQNT010{
    .code = "QNT010",
    .name = "router-quantized",
    .severity = results::Severity::error,
    .what = "No router (`mlp.gate`) is stored quantized.",
    .why =
        "The router decides which experts run; quantization noise changes the choice. vLLM "
        "builds it without a quantization config and has no parameter for packed tensors; "
        "transformers leaves it random.",
    .bad = "mlp.gate.qweight, .qzeros, .scales",
    .good = "mlp.gate.weight in BF16",
    .fix = "copy `mlp.gate.weight` from the base model and exclude it",
    .sources = "auto-round #1776; loaders 2.6, 3.1 (ran)",
    .run = run,
};

}  // namespace ckpt::rules
