#include <fmt/format.h>

#include "validator/base/text.h"
#include "validator/rules/places.h"

namespace ckpt::rules {
namespace ldr007 {

void run(const RuleInput& in, const Emit& emit) {
  if (!in.gpu || in.gpu->capability != loaders::kNoGpu || in.stored == nullptr) return;
  std::vector<std::uint32_t> found;
  for (std::uint32_t i = 0; i < in.stored->modules.size(); ++i) {
    if (in.blueprint->modules()[i].cls == arch::ModuleClass::routed_expert &&
        quant::is_quantized(in.stored->modules[i].format)) {
      found.push_back(i);
    }
  }
  if (found.empty()) return;
  Draft draft;
  draft.message = fmt::format("{} quantized expert linears on a machine without a GPU",
                              with_commas(found.size()));
  draft.subject = in.blueprint->modules()[found[0]].name;
  draft.count = found.size();
  add_modules(in, found, draft);
  draft.effects = {{"vllm", results::LoaderState::does_not_load, "builds the experts at 16 bits"},
                   {"sglang", results::LoaderState::does_not_load, "unless the processor has AMX"}};
  draft.fix = "load it with transformers there, or serve it on a GPU";
  emit(std::move(draft));
}

}  // namespace ldr007

extern const Rule kLDR007;
const Rule kLDR007{
    .code = "LDR007",
    .name = "quantized-experts-on-cpu",
    .severity = results::Severity::warning,
    .what = "A checkpoint with quantized routed experts is meant for a GPU.",
    .why =
        "With --gpu cpu: vLLM's processor backend builds routed experts unquantized and then "
        "finds no weights for them, SGLang's kernels want AMX; transformers alone takes them. "
        "Silent without --gpu.",
    .bad = "a mixture of experts at 4 bits with --gpu cpu",
    .good = "the same with --gpu rtx4090",
    .fix = "load it with transformers there, or serve it on a GPU",
    .sources = "loaders 2.3, LD009",
    .run = ldr007::run,
};

}  // namespace ckpt::rules
