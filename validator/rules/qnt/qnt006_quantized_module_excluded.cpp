#include "validator/rules/places.h"

#include <fmt/format.h>

namespace ckpt::rules {
namespace qnt006 {

bool has_rule_of_its_own(arch::ModuleClass cls) {
  return cls == arch::ModuleClass::router || cls == arch::ModuleClass::shared_expert_gate ||
         cls == arch::ModuleClass::vision;
}

void run(const RuleInput& in, const Emit& emit) {
  if (in.stored == nullptr || !in.config->quant || !in.intent->predicted) return;
  ModulesByClass found;
  for (std::uint32_t i = 0; i < in.stored->modules.size(); ++i) {
    const loaders::Decision* d = in.intent->decision(i);
    const arch::ModuleClass cls = in.blueprint->modules()[i].cls;
    if (d == nullptr || d->quantized || !quant::is_quantized(in.stored->modules[i].format))
      continue;
    if (!has_rule_of_its_own(cls)) found[cls].push_back(i);
  }
  for (const auto& [cls, modules] : found) {
    Draft draft;
    draft.message =
        fmt::format("{} stored packed, the config says 16 bits", counted(modules.size(), cls));
    draft.subject = std::string(arch::class_name(cls));
    draft.count = modules.size();
    add_modules(in, modules, draft);
    draft.effects = effects_on(in, modules);
    draft.fix = "state the stored width in the config, or store the modules unquantized";
    emit(std::move(draft));
  }
}

}  // namespace qnt006

extern const Rule kQNT006;
const Rule kQNT006{
    .code = "QNT006",
    .name = "quantized-module-excluded",
    .severity = results::Severity::error,
    .what = "No module that the config keeps at 16 bits is stored packed.",
    .why =
        "The loader builds a plain module and finds no parameter for `.qweight`: vLLM "
        "stops, transformers leaves it random.",
    .bad = "{\"bits\": 16} for a module stored as .qweight",
    .good = "an entry that states the stored width",
    .fix = "remove the entry, or store the module unquantized",
    .sources = "loaders, section 1",
    .run = qnt006::run,
};

}  // namespace ckpt::rules
