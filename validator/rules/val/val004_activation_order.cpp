#include "validator/rules/val/facts.h"

namespace ckpt::rules {
namespace val004 {

void run(const RuleInput& in, const Emit& emit) {
  report_facts(in, emit,
               {.wrong = [](const ValueFact& f) { return f.nontrivial_g_idx; },
                .message = [](const ValueFact&) -> std::string {
                  return "`g_idx` is not the trivial sequence k div group_size";
                },
                .effects = {{"vllm", results::LoaderState::does_not_load,
                             "rejects activation order with groups, or ignores it"}},
                .fix = "quantize again without activation order"});
}

}  // namespace val004

extern const Rule kVAL004;
const Rule kVAL004{
    .code = "VAL004",
    .name = "activation-order",
    .severity = results::Severity::warning,
    .needs = Needs::values,
    .what = "`g_idx`, when present, is k div group_size.",
    .why =
        "Anything else is activation order: vLLM refuses desc_act with groups, and a loader"
        " that ignores g_idx computes with the wrong scales.",
    .bad = "g_idx of a desc_act run",
    .good = "no g_idx, or the trivial one",
    .fix = "quantize again without activation order",
    .sources = "formats 3.5; loaders QC017, SH006",
    .run = val004::run,
};

}  // namespace ckpt::rules
