#include "validator/rules/shared_runs.h"

namespace ckpt::rules {
namespace map025 {

void run(const RuleInput& in, const Emit& emit) {
  if (in.stored == nullptr) return;
  std::vector<std::uint32_t> found;
  for (std::uint32_t i = 0; i < in.stored->modules.size(); ++i) {
    const arch::Module& m = in.blueprint->modules()[i];
    const quant::Format f = in.stored->modules[i].format;
    // Modules that must not be packed at all have findings that say so.
    const bool told = m.cls == arch::ModuleClass::router ||
                      m.cls == arch::ModuleClass::shared_expert_gate ||
                      m.cls == arch::ModuleClass::vision;
    if (told || (f != quant::Format::gptq && f != quant::Format::awq) || m.shape.size() != 2)
      continue;
    if (m.shape[0] % 32 != 0 || m.shape[1] % 32 != 0) found.push_back(i);
  }
  report_sizes(
      in, emit,
      {.modules = std::move(found),
       .words = "packed modules have sizes that are no multiples of 32",
       .effects = every_loader(results::LoaderState::does_not_load, "no kernel takes these sizes"),
       .fix = "keep the modules at 16 bits"});
}

}  // namespace map025

extern const Rule kMAP025;
const Rule kMAP025{
    .code = "MAP025",
    .name = "size-not-multiple-of-32",
    .severity = results::Severity::error,
    .what = "Inputs and outputs of a module packed in the GPTQ layout are multiples of 32.",
    .why =
        "A word holds whole columns of inputs and the zeros whole rows of outputs: other sizes "
        "cannot be stored. No kernel takes them; transformers ends the process while building "
        "the module.",
    .bad = "in_proj_b with 8 outputs, packed",
    .good = "in_proj_b in BF16",
    .fix = "keep the module at 16 bits",
    .sources = "formats 3.1; loaders 2.8, SH003",
    .run = map025::run,
};

}  // namespace ckpt::rules
