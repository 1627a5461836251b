#include "validator/rules/map/layers.h"

#include <fmt/format.h>

namespace ckpt::rules {
namespace map001 {

/// Not stored because of something that has a rule of its own.
bool explained(const RuleInput& in, const arch::Module& m, bool counts_differ,
               const std::set<int>& wrong_kind) {
  if (m.cls == arch::ModuleClass::mtp) return true;  // MAP009
  const bool attention = m.name.find("_attn.") != std::string::npos;
  if (attention && m.cls != arch::ModuleClass::vision && wrong_kind.contains(m.layer)) {
    return true;  // MAP023
  }
  if (m.cls != arch::ModuleClass::routed_expert) return false;
  return counts_differ ||
         in.stored->spellings[static_cast<std::size_t>(arch::Spelling::per_expert)] != 0;
}

void run(const RuleInput& in, const Emit& emit) {
  if (in.stored == nullptr || in.checkpoint->incomplete()) return;
  std::uint64_t on_disk = 0;
  const bool counts_differ = expert_count_differs(in, on_disk);
  const std::set<int> wrong_kind = layers_of_wrong_kind(in);
  ModulesByClass found;
  for (std::uint32_t i = 0; i < in.stored->modules.size(); ++i) {
    const arch::Module& m = in.blueprint->modules()[i];
    if (in.stored->modules[i].format != quant::Format::absent ||
        explained(in, m, counts_differ, wrong_kind))
      continue;
    found[m.cls].push_back(i);
  }
  for (const auto& [cls, modules] : found) {
    Draft draft;
    const std::string& name = in.blueprint->modules()[modules[0]].name;
    draft.message = modules.size() == 1 ? fmt::format("`{}` is not stored", name)
                                        : fmt::format("{} are not stored, first `{}`",
                                                      counted(modules.size(), cls), name);
    draft.subject = name;
    draft.count = modules.size();
    add_modules(in, modules, draft);
    draft.effects = {
        {"vllm", results::LoaderState::wrong_weights,
         "leaves the parameters uninitialised, without a word"},
        {"transformers", results::LoaderState::wrong_weights, "newly initialised, a warning only"},
        {"sglang", results::LoaderState::wrong_weights,
         "leaves the parameters uninitialised, without a word"}};
    draft.fix = "copy the tensors from the base model";
    emit(std::move(draft));
  }
}

}  // namespace map001

extern const Rule kMAP001;
const Rule kMAP001{
    .code = "MAP001",
    .name = "tensor-missing",
    .severity = results::Severity::error,
    .what = "Every tensor the architecture needs is stored.",
    .why =
        "No loader reliably reports a missing tensor of a quantized model: vLLM leaves the "
        "parameter uninitialised, transformers fills it with random numbers and prints a "
        "warning.",
    .bad = "model.norm.weight is nowhere",
    .good = "all tensors of the blueprint are there",
    .fix = "copy the tensors from the base model",
    .sources = "loaders, section 1 (ran)",
    .run = map001::run,
};

}  // namespace ckpt::rules
