#include <fmt/format.h>

#include "validator/base/text.h"
#include "validator/rules/places.h"

namespace ckpt::rules {
namespace map021 {

void run(const RuleInput& in, const Emit& emit) {
  if (in.stored == nullptr) return;
  std::vector<std::uint32_t> stacked;
  std::uint64_t single = 0;
  for (const arch::ExpertBlock& b : in.blueprint->expert_blocks()) {
    const quant::Stored& s = in.stored->modules[b.first];
    // The draft head comes from another file, and loaders drop it.
    if (b.mtp || s.format == quant::Format::absent) continue;
    if (s.spelling == arch::Spelling::stacked) stacked.push_back(b.first);
    if (s.spelling == arch::Spelling::per_expert) ++single;
  }
  if (stacked.empty() || single == 0) return;
  Draft draft;
  draft.message = fmt::format("{} layers stack their experts, {} do not", stacked.size(), single);
  draft.subject = "experts";
  draft.count = stacked.size();
  add_modules(in, stacked, draft);
  draft.effects = {
      {"transformers", results::LoaderState::wrong_weights, "may leave one of the two random"}};
  draft.fix = "split the stacked tensors into single experts";
  emit(std::move(draft));
}

}  // namespace map021

extern const Rule kMAP021;
const Rule kMAP021{
    .code = "MAP021",
    .name = "expert-spellings-mixed",
    .severity = results::Severity::warning,
    .what = "All layers spell their routed experts alike.",
    .why =
        "vLLM and transformers choose their way of loading experts once for the model. Stacked "
        "layers beside layers of single experts come from merging two files; loaders that take "
        "one spelling leave the other's parameters random.",
    .bad = "experts.gate_up_proj in layers 0 and 1, experts.{e}.gate_proj in the rest",
    .good = "one spelling",
    .fix = "split the stacked tensors",
    .sources = "loaders 2.7, 3.1, NM006",
    .run = map021::run,
};

}  // namespace ckpt::rules
