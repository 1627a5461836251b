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
      if (p.decision.raises() && p.decision.error == "NotImplementedError")
        by_error[p.decision.error].push_back(&p);
    }
    for (const auto& [error, modules] : by_error) {
      Draft draft;
      draft.message = fmt::format("{} has no kernel for the scheme of {} modules ({})",
                                  loaders::loader_name(plan.loader), modules.size(), error);
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
      draft.fix = "choose a scheme that has a kernel, or serve with another loader";
      emit(std::move(draft));
    }
  }
}

}  // namespace

extern const Rule kQNT019;
const Rule kQNT019{
    .code = "QNT019",
    .name = "scheme-without-kernel",
    .severity = results::Severity::info,
    .what = "Each scheme has a kernel in every predicted loader.",
    .why =
        "vLLM takes dense GPTQ-layout layers of 4 and 8 bits only symmetric and in groups of -1, "
        "32, "
        "64 or 128 (Marlin), and stops with NotImplementedError otherwise; experts fall back to a "
        "slow "
        "path. Kernel limits change with version and hardware: information, not an error.",
    .bad = "\"sym\": false with auto_round:auto_gptq packing",
    .good = "\"sym\": true, \"group_size\": 128",
    .fix = "choose a scheme that has a kernel, or serve with another loader",
    .sources = "loaders 2.3, 2.8 (ran)",
    .run = run,
};

}  // namespace ckpt::rules
