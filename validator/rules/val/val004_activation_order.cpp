#include "validator/rules/places.h"

#include <fmt/format.h>

#include "validator/base/text.h"

namespace ckpt::rules {
namespace {

void run(const RuleInput& in, const Emit& emit) {
  for (const ValueFact& f : in.values->facts) {
    if (!(f.nontrivial_g_idx)) continue;
    const container::Tensor& t = in.checkpoint->tensors()[f.tensor];
    Draft draft;
    draft.message = std::string("`g_idx` is not the trivial sequence k div group_size");
    draft.subject = shown(t.name);
    draft.where.push_back(at_tensor(in, f.tensor));
    draft.effects = {{"vllm", results::LoaderState::does_not_load,
                      "rejects activation order with groups, or ignores it"}};
    draft.fix = "quantize again without activation order";
    emit(std::move(draft));
  }
}

}  // namespace

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
    .run = run,
};

}  // namespace ckpt::rules
