#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>

#include "validator/rules/val/facts.h"

namespace ckpt::rules {
namespace val013 {

/// Hash of the content of one expert projection, or 0 when it was not read.
std::uint64_t content_of(const RuleInput& in, std::uint32_t module) {
  const quant::Stored& s = in.stored->modules[module];
  const bool stacked = s.spelling == arch::Spelling::stacked;
  for (const auto member :
       {quant::Member::weight, quant::Member::qweight, quant::Member::weight_packed}) {
    if (s.at(member) < 0) continue;
    const std::pair key{
        static_cast<std::uint32_t>(s.at(member)),
        stacked ? static_cast<std::uint32_t>(in.blueprint->modules()[module].expert) : 0U};
    const auto it =
        std::ranges::lower_bound(in.values->contents, key, {}, [](const ContentHash& c) {
          return std::pair{c.tensor, c.slice};
        });
    const bool found =
        it != in.values->contents.end() && it->tensor == key.first && it->slice == key.second;
    return found ? it->hash : 0;
  }
  return 0;
}

void run(const RuleInput& in, const Emit& emit) {
  if (in.stored == nullptr) return;
  std::map<std::array<std::uint64_t, 3>, std::uint32_t> seen;  // contents -> gate_proj of the first
  Draft draft;
  draft.count = 0;
  const auto& modules = in.blueprint->modules();
  for (std::uint32_t i = 0; i + 2 < modules.size(); ++i) {
    if (modules[i].part != arch::ExpertPart::gate ||
        modules[i].cls != arch::ModuleClass::routed_expert)
      continue;
    const std::array content{content_of(in, i), content_of(in, i + 1), content_of(in, i + 2)};
    if (std::ranges::count(content, 0U) != 0) continue;
    const auto [it, fresh] = seen.try_emplace(content, i);
    if (fresh) continue;
    const arch::Module& first = modules[it->second];
    if (draft.count++ == 0) {
      draft.message = fmt::format("expert {} of layer {} equals expert {} of layer {}",
                                  modules[i].expert, modules[i].layer, first.expert, first.layer);
      draft.subject = modules[i].name;
    }
    add_modules(in, {i}, draft);
  }
  if (draft.count == 0) return;
  if (draft.count > 1) draft.message += fmt::format(", and {} more pairs", draft.count - 1);
  draft.effects = every_loader(results::LoaderState::wrong_output,
                               "one expert answers for two, the other's weights are lost");
  draft.fix = "copy the right expert from the base model";
  emit(std::move(draft));
}

}  // namespace val013

extern const Rule kVAL013;
const Rule kVAL013{
    .code = "VAL013",
    .name = "experts-identical",
    .severity = results::Severity::error,
    .needs = Needs::values,
    .what = "No two routed experts have the same weights, byte for byte.",
    .why =
        "Pruning and merging scripts that mix up indices copy one expert over another. Nothing "
        "fails: the router still sends tokens to both, and the lost expert's knowledge is gone.",
    .bad = "experts.3 of layer 7 equals experts.2 in all three projections",
    .good = "all experts differ",
    .fix = "copy the right expert from the base model",
    .sources = "loaders NUM008; golden prune repos",
    .run = val013::run,
};

}  // namespace ckpt::rules
