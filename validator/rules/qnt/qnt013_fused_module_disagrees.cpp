#include "validator/rules/places.h"

#include <fmt/format.h>

#include <map>

namespace ckpt::rules {
namespace {

void run(const RuleInput& in, const Emit& emit) {
  for (const loaders::LoadPlan& plan : in.plans) {
    if (!plan.predicted) continue;
    std::map<std::string, std::vector<const loaders::PlannedModule*>> by_error;
    for (const loaders::PlannedModule& p : plan.modules) {
      if (p.decision.raises() && p.decision.error != "NotImplementedError")
        by_error[p.decision.error].push_back(&p);
    }
    for (const auto& [error, modules] : by_error) {
      Draft draft;
      draft.message = fmt::format("{} raises {} while building {} modules",
                                  loaders::loader_name(plan.loader), error, modules.size());
      draft.subject = modules[0]->name;
      draft.count = modules.size();
      for (const loaders::PlannedModule* p : modules) {
        results::Location w = at_module(in, p->members[0]);
        w.module = p->name;
        add_place(draft, std::move(w));
      }
      draft.effects.push_back({std::string(loaders::loader_name(plan.loader)),
                               results::LoaderState::does_not_load,
                               modules[0]->decision.error_text});
      draft.fix = "give all members of a fused module the same bits, group size and symmetry";
      emit(std::move(draft));
    }
  }
}

}  // namespace

extern const Rule kQNT013;
const Rule kQNT013{
    .code = "QNT013",
    .name = "fused-module-disagrees",
    .severity = results::Severity::error,
    .what = "The members of every fused engine module resolve to one scheme.",
    .why =
        "vLLM and SGLang build q/k/v, gate/up, in_proj_qkv/z and in_proj_b/a as one module "
        "each and raise ValueError when the members differ.",
    .bad = "q_proj at 8 bits, k_proj and v_proj at 4",
    .good = "all three at 8 bits",
    .fix = "give all members the same bits, group size and symmetry",
    .sources = "loaders 2.3, 2.5 (ran)",
    .run = run,
};

}  // namespace ckpt::rules
