#include "validator/rules/map/layers.h"

#include <fmt/format.h>

#include <set>

namespace ckpt::rules {
namespace map007 {

void run(const RuleInput& in, const Emit& emit) {
  if (in.stored == nullptr || in.checkpoint->incomplete()) return;
  std::uint64_t on_disk = 0;
  if (expert_count_differs(in, on_disk)) return;
  if (in.stored->spellings[static_cast<std::size_t>(arch::Spelling::per_expert)] == 0) return;
  const std::map<int, std::uint64_t> other_counts = layers_with_other_counts(in);
  std::vector<std::uint32_t> missing;
  std::set<std::pair<int, int>> experts;
  for (std::uint32_t i = 0; i < in.stored->modules.size(); ++i) {
    const arch::Module& m = in.blueprint->modules()[i];
    if (m.cls != arch::ModuleClass::routed_expert) continue;
    if (in.stored->modules[i].format != quant::Format::absent) continue;
    // A layer that is short of experts has a finding of its own.
    const auto other = other_counts.find(m.layer);
    if (other != other_counts.end() && static_cast<std::uint64_t>(m.expert) >= other->second) {
      continue;
    }
    missing.push_back(i);
    experts.emplace(m.layer, m.expert);
  }
  if (missing.empty()) return;
  const arch::Module& first = in.blueprint->modules()[missing[0]];
  Draft draft;
  draft.message = fmt::format("{} experts lack tensors, first layer {} expert {}", experts.size(),
                              first.layer, first.expert);
  draft.subject = first.name;
  draft.count = experts.size();
  add_modules(in, missing, draft);
  draft.effects = effects_on(in, missing);
  draft.fix = "copy the expert from the base model, or quantize it again";
  emit(std::move(draft));
}

}  // namespace map007

extern const Rule kMAP007;
const Rule kMAP007{
    .code = "MAP007",
    .name = "expert-incomplete",
    .severity = results::Severity::error,
    .what = "Each expert of each layer has all its projections.",
    .why =
        "No loader notices: the missing projection stays uninitialised (vLLM) or random "
        "(transformers), and the model talks nonsense whenever the expert is routed to.",
    .bad = "experts.2 of layer 1 has no tensors",
    .good = "all experts have gate, up and down",
    .fix = "copy the expert from the base model, or quantize again",
    .sources = "loaders 3.1 (ran); AR002",
    .run = map007::run,
};

}  // namespace ckpt::rules
