#include "validator/rules/places.h"

#include <fmt/format.h>

#include "validator/base/text.h"

namespace ckpt::rules {
namespace {

void run(const RuleInput& in, const Emit& emit) {
  if (in.stored == nullptr) return;
  std::vector<std::uint32_t> found;
  for (std::uint32_t i = 0; i < in.stored->modules.size(); ++i) {
    const quant::Stored& s = in.stored->modules[i];
    if (s.spelling != arch::Spelling::gate_up_suffixed ||
        in.blueprint->modules()[i].cls == arch::ModuleClass::mtp)
      continue;
    if (false && !quant::is_quantized(s.format)) continue;
    found.push_back(i);
  }
  if (found.empty()) return;
  Draft draft;
  draft.message = fmt::format("{} expert linears are spelt `{}`", with_commas(found.size()),
                              arch::spelling_pattern(arch::Spelling::gate_up_suffixed));
  draft.subject = "experts";
  draft.count = found.size();
  add_modules(in, found, draft);
  draft.effects = effects_on(in, found);
  draft.fix = "split and rename the tensors; no code changes";
  emit(std::move(draft));
}

}  // namespace

extern const Rule kMAP010;
const Rule kMAP010{
    .code = "MAP010",
    .name = "experts-gate-up-suffixed",
    .severity = results::Severity::error,
    .what = "Experts are not spelt `experts.gate_up_proj.{e}`.",
    .why =
        "auto-round 0.10 with transformers 5 wrote this. vLLM raises AttributeError "
        "(published repos ship a runtime patch), transformers loads random weights with a "
        "warning, SGLang drops the tensors. Renaming and splitting loses nothing.",
    .bad = "experts.gate_up_proj.17.qweight",
    .good = "experts.17.gate_proj.qweight and experts.17.up_proj.qweight",
    .fix = "split and rename the tensors; no code changes",
    .sources = "cards 001 and 002; loaders 2.7, 3.1 (ran); formats 3.8",
    .run = run,
};

}  // namespace ckpt::rules
