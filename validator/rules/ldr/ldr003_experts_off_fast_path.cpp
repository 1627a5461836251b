#include <fmt/format.h>

#include "validator/rules/shared_runs.h"

namespace ckpt::rules {
namespace ldr003 {

void run(const RuleInput& in, const Emit& emit) {
  if (in.stored == nullptr || !in.config->quant ||
      in.config->quant->method == config::QuantMethod::compressed_tensors)
    return;
  const auto hidden = static_cast<std::uint64_t>(in.config->text.hidden_size);
  // Experts are cut along their width.
  const auto whole = static_cast<std::uint64_t>(in.config->text.moe_intermediate_size);
  const std::uint64_t ranks = std::max<std::uint64_t>(in.tensor_parallel, 1);
  const std::uint64_t width = whole % ranks == 0 ? whole / ranks : whole;
  for (std::uint32_t i = 0; i < in.stored->modules.size(); ++i) {
    const quant::Stored& s = in.stored->modules[i];
    if (in.blueprint->modules()[i].cls != arch::ModuleClass::routed_expert ||
        s.format != quant::Format::gptq)
      continue;
    const std::uint64_t group = s.group_size > 0 ? static_cast<std::uint64_t>(s.group_size) : 0;
    const bool known = s.groups == 1 || group == 32 || group == 64 || group == 128;
    if (known && hidden % 128 == 0 && width % std::max<std::uint64_t>(64, group) == 0) return;
    Draft draft;
    draft.message =
        fmt::format("experts of {} x {}, {}, miss the fast expert kernel", hidden, width,
                    s.group_size > 0 ? fmt::format("groups of {}", s.group_size)
                                     : std::string("one group a row"));
    draft.subject = in.blueprint->modules()[i].name;
    if (ranks > 1) draft.severity = results::Severity::warning;  // asked about this very number
    add_modules(in, {i}, draft);
    draft.effects = {
        {"vllm on a GPU", results::LoaderState::slow_path, "takes the slower expert kernel"}};
    draft.fix = "choose a group size that divides the expert width";
    emit(std::move(draft));
    return;
  }
}

}  // namespace ldr003

extern const Rule kLDR003;
const Rule kLDR003{
    .code = "LDR003",
    .name = "experts-off-fast-path",
    .severity = results::Severity::info,
    .what =
        "Routed experts have sizes and groups that the Marlin expert kernel takes: hidden size "
        "a multiple of 128, expert width of max(64, group), groups of 32, 64, 128 or none.",
    .why =
        "Otherwise AutoRound and GPTQ files fall back to a slower kernel in vLLM, which may "
        "halve the groups; below 32 it asserts.",
    .bad = "an expert width of 96 with groups of 32",
    .good = "an expert width of 512 with groups of 128",
    .fix = "choose another group size; the sizes are the model's",
    .sources = "loaders 2.8, LD002",
    .run = ldr003::run,
};

}  // namespace ckpt::rules
