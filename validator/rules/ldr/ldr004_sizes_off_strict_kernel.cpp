#include "validator/rules/shared_runs.h"

namespace ckpt::rules {
namespace ldr004 {

void run(const RuleInput& in, const Emit& emit) {
  if (in.stored == nullptr) return;
  std::vector<std::uint32_t> found;
  for (std::uint32_t i = 0; i < in.stored->modules.size(); ++i) {
    const arch::Module& m = in.blueprint->modules()[i];
    const quant::Format f = in.stored->modules[i].format;
    const bool ours =
        f == quant::Format::gptq || f == quant::Format::awq || f == quant::Format::ct_packed;
    if (!ours || m.shape.size() != 2 || m.cls == arch::ModuleClass::routed_expert) continue;
    const std::uint64_t n = m.shape[0];
    const std::uint64_t k = m.shape[1];
    if ((n % 64 == 0 && k % 128 == 0) || (n % 128 == 0 && k % 64 == 0)) continue;
    found.push_back(i);
  }
  report_sizes(in, emit,
               {.modules = std::move(found),
                .words = "quantized linears are not of whole kernel tiles",
                .effects = {{"older engines", results::LoaderState::does_not_load,
                             "have no kernel for these sizes"}},
                .fix = "keep them at 16 bits when older engines matter"});
}

}  // namespace ldr004

extern const Rule kLDR004;
const Rule kLDR004{
    .code = "LDR004",
    .name = "sizes-off-strict-kernel",
    .severity = results::Severity::info,
    .what =
        "Quantized linears have sizes of whole Marlin tiles: outputs a multiple of 64 and "
        "inputs of 128, or 128 and 64.",
    .why =
        "SGLang and vLLM before zero padding refuse other sizes; vLLM 0.33 pads. Names the "
        "first such module.",
    .bad = "a 4-bit linear [96, 4096]",
    .good = "a 4-bit linear [128, 4096]",
    .fix = "keep the module at 16 bits when older engines matter",
    .sources = "loaders 2.8, 4 (sglang #39741), LD003, LD004; card 002 (4304)",
    .run = ldr004::run,
};

}  // namespace ckpt::rules
