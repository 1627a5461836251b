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
    if (s.spelling != arch::Spelling::stacked ||
        in.blueprint->modules()[i].cls == arch::ModuleClass::mtp)
      continue;
    if (true && !quant::is_quantized(s.format)) continue;
    found.push_back(i);
  }
  if (found.empty()) return;
  Draft draft;
  draft.message = fmt::format("{} expert linears are spelt `{}`", with_commas(found.size()),
                              arch::spelling_pattern(arch::Spelling::stacked));
  draft.subject = "experts";
  draft.count = found.size();
  add_modules(in, found, draft);
  draft.effects = effects_on(in, found);
  draft.fix = "store each expert by itself (no code changes)";
  emit(std::move(draft));
}

}  // namespace

extern const Rule kMAP008;
const Rule kMAP008{
    .code = "MAP008",
    .name = "experts-stacked-quantized",
    .severity = results::Severity::error,
    .what = "Quantized experts are stored one linear each, not as stacked 3-D tensors.",
    .why =
        "Loaders map packed tensors per expert only; no loader has a name for "
        "`experts.gate_up_proj.qweight`.",
    .bad = "experts.gate_up_proj.qweight [E, K/8, 2I]",
    .good = "experts.{e}.gate_proj.qweight",
    .fix = "store each expert by itself (no code changes)",
    .sources = "card 001; loaders 2.7",
    .run = run,
};

}  // namespace ckpt::rules
