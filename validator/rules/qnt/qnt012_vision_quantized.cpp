#include "validator/rules/places.h"

#include <fmt/format.h>

namespace ckpt::rules {
namespace {

void run(const RuleInput& in, const Emit& emit) {
  if (in.stored == nullptr) return;
  std::vector<std::uint32_t> found;
  for (std::uint32_t i = 0; i < in.stored->modules.size(); ++i) {
    const arch::Module& m = in.blueprint->modules()[i];
    if (m.cls == arch::ModuleClass::vision && quant::is_quantized(in.stored->modules[i].format))
      found.push_back(i);
  }
  if (found.empty()) return;
  Draft draft;
  draft.message =
      fmt::format("{} stored quantized", counted(found.size(), arch::ModuleClass::vision));
  draft.subject = in.blueprint->modules()[found[0]].name;
  draft.count = found.size();
  add_modules(in, found, draft);
  draft.effects = effects_on(in, found);
  draft.fix = "copy the vision tensors from the base model and exclude them";
  emit(std::move(draft));
}

}  // namespace

extern const Rule kQNT012;
const Rule kQNT012{
    .code = "QNT012",
    .name = "vision-quantized",
    .severity = results::Severity::error,
    .what = "No module of the vision tower or its merger is stored quantized.",
    .why =
        "Text-only calibration says nothing about images; 4304-wide layers cannot take "
        "groups of 32, 64 or 128, and kernels refuse them. SGLang builds the tower without "
        "a config.",
    .bad = "model.visual.blocks.0.attn.proj.qweight",
    .good = "model.visual.blocks.0.attn.proj.weight in BF16",
    .fix = "copy the vision tensors from the base model and exclude them",
    .sources = "card 002; loaders 2.8; architecture 2.4",
    .run = run,
};

}  // namespace ckpt::rules
