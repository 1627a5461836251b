#include <fmt/format.h>

#include "validator/base/text.h"
#include "validator/rules/shared_runs.h"

namespace ckpt::rules {
namespace map020 {

void run(const RuleInput& in, const Emit& emit) {
  const loaders::LoadPlan* plan = plan_of(in, loaders::Loader::vllm);
  if (plan == nullptr || in.stored == nullptr) return;
  std::vector<std::uint32_t> found;
  for (const loaders::PlannedModule& p : plan->modules) {
    std::int64_t dtype = -1;
    for (const std::uint32_t m : p.members) {
      const std::int32_t t = in.stored->modules[m].at(quant::Member::weight);
      if (t < 0 || in.stored->modules[m].format != quant::Format::plain) continue;
      const auto d =
          static_cast<std::int64_t>(in.checkpoint->tensors()[static_cast<std::size_t>(t)].dtype);
      if (dtype >= 0 && d != dtype) {
        found.push_back(m);
        break;
      }
      dtype = d;
    }
  }
  if (found.empty()) return;
  Draft draft;
  draft.message =
      fmt::format("{} fused modules have members of two dtypes", with_commas(found.size()));
  draft.subject = in.blueprint->modules()[found[0]].name;
  draft.count = found.size();
  add_modules(in, found, draft);
  draft.effects.push_back(
      {"vllm", results::LoaderState::loads_as_meant, "converts one member while loading"});
  draft.fix = "store the members in one dtype";
  emit(std::move(draft));
}

}  // namespace map020

extern const Rule kMAP020;
const Rule kMAP020{
    .code = "MAP020",
    .name = "fused-members-differ-in-dtype",
    .severity = results::Severity::warning,
    .what =
        "Unquantized members of a fused module (q, k, v; gate, up; in_proj_qkv, z; in_proj_b, "
        "a) have one dtype.",
    .why =
        "Engines concatenate them into one parameter: one member is converted, others not, so "
        "the same file computes slightly different things in different loaders.",
    .bad = "in_proj_a in F16, in_proj_b in BF16",
    .good = "both in BF16",
    .fix = "store the members in one dtype",
    .sources = "loaders 2.2, DT007",
    .run = map020::run,
};

}  // namespace ckpt::rules
