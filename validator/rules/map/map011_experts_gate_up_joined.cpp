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
    if (s.spelling != arch::Spelling::gate_up_prefixed ||
        in.blueprint->modules()[i].cls == arch::ModuleClass::mtp)
      continue;
    if (false && !quant::is_quantized(s.format)) continue;
    found.push_back(i);
  }
  if (found.empty()) return;
  Draft draft;
  draft.message = fmt::format("{} expert linears are spelt `{}`", with_commas(found.size()),
                              arch::spelling_pattern(arch::Spelling::gate_up_prefixed));
  draft.subject = "experts";
  draft.count = found.size();
  add_modules(in, found, draft);
  draft.effects = effects_on(in, found);
  draft.fix = "split and rename the tensors";
  emit(std::move(draft));
}

}  // namespace

extern const Rule kMAP011;
const Rule kMAP011{
    .code = "MAP011",
    .name = "experts-gate-up-joined",
    .severity = results::Severity::error,
    .what = "Experts are not spelt `experts.{e}.gate_up_proj`.",
    .why =
        "vLLM splits them along the first axis, right for plain and wrong for packed "
        "tensors; transformers leaves them random.",
    .bad = "experts.17.gate_up_proj.weight",
    .good = "experts.17.gate_proj.weight and experts.17.up_proj.weight",
    .fix = "split and rename the tensors",
    .sources = "loaders 2.7; architecture 2.6",
    .run = run,
};

}  // namespace ckpt::rules
