#include "validator/rules/places.h"

#include <fmt/format.h>

#include <algorithm>

#include "validator/base/text.h"

namespace ckpt::rules {
namespace ldr001 {

struct Bad {
  const loaders::LoadPlan* plan = nullptr;
  std::vector<std::uint32_t> modules;
  bool mismatch = false;  ///< asks for other tensors than those stored: no limit of the loader
};

bool is_mismatch(loaders::Outcome o) {
  using loaders::Outcome;
  return o == Outcome::asks_packed_has_plain || o == Outcome::asks_plain_has_packed ||
         o == Outcome::width_differs || o == Outcome::group_differs;
}

bool explained(const RuleInput& in, std::string_view loader) {
  for (const results::Finding& f : in.earlier) {
    for (const results::Effect& e : f.effects) {
      const bool states = e.state != results::LoaderState::loads_as_meant &&
                          e.state != results::LoaderState::slow_path;
      if (e.loader == loader && states) return true;
    }
  }
  return false;
}

void run(const RuleInput& in, const Emit& emit) {
  if (in.stored == nullptr || in.checkpoint->incomplete()) return;
  std::vector<Bad> bad;
  bool somebody_takes_it = false;
  for (const loaders::LoadPlan& plan : in.plans) {
    if (!plan.predicted || !plan.refused.empty()) continue;
    Bad b{.plan = &plan};
    for (std::uint32_t i = 0; i < in.stored->modules.size(); ++i) {
      const loaders::Outcome o = loaders::outcome_of(plan, *in.blueprint, i, in.stored->modules[i]);
      const results::LoaderState s =
          state_of(plan.loader, o, in.blueprint->modules()[i], plan.decision(i));
      if (s == results::LoaderState::loads_as_meant) continue;
      b.modules.push_back(i);
      b.mismatch = b.mismatch || is_mismatch(o);
    }
    if (b.modules.empty()) {
      somebody_takes_it = somebody_takes_it || !explained(in, loaders::loader_name(plan.loader));
    } else if (!explained(in, loaders::loader_name(plan.loader))) {
      bad.push_back(std::move(b));
    }
  }
  // With an error already named, this is the smaller news.
  const bool has_error = std::ranges::any_of(
      in.earlier, [](const results::Finding& f) { return f.severity == results::Severity::error; });
  for (const Bad& b : bad) {
    const std::string_view loader = loaders::loader_name(b.plan->loader);
    Draft draft;
    draft.message = fmt::format("{} does not take {} modules as they are stored", loader,
                                with_commas(b.modules.size()));
    draft.subject = in.blueprint->modules()[b.modules[0]].name;
    draft.count = b.modules.size();
    add_modules(in, b.modules, draft);
    for (results::Effect& e : effects_on(in, b.modules)) {
      if (e.loader == loader) draft.effects.push_back(std::move(e));
    }
    // vLLM reads every spelling that the others read: what it takes otherwise, the config says so.
    const bool limit =
        somebody_takes_it && !(b.mismatch && b.plan->loader == loaders::Loader::vllm);
    if (limit || has_error) draft.severity = results::Severity::info;
    draft.fix =
        limit ? "a limit of this loader and version; another one takes the checkpoint as it is"
              : "make the config say what is stored";
    emit(std::move(draft));
  }
}

}  // namespace ldr001

extern const Rule kLDR001;
const Rule kLDR001{
    .code = "LDR001",
    .name = "loader-takes-it-otherwise",
    .severity = results::Severity::error,
    .what = "Each predicted loader builds every module as it is stored.",
    .why =
        "The summary of the load plans: what a loader will do that none of the other "
        "findings explains. When another predicted loader takes the checkpoint as meant it "
        "is a limit of this loader, and information only, unless it is vLLM and asks for other "
        "tensors than those stored: it reads every spelling that the others read.",
    .bad = "a plan that asks for `.weight_packed` of experts stored in BF16",
    .good = "plans and stored tensors agree",
    .fix = "see the modules named",
    .sources = "loaders, sections 1 to 4 and 7",
    .run = ldr001::run,
};

}  // namespace ckpt::rules
