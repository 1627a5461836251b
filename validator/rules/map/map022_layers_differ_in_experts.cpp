#include <fmt/format.h>

#include <map>

#include "validator/rules/map/layers.h"

namespace ckpt::rules {
namespace map022 {

void run(const RuleInput& in, const Emit& emit) {
  const std::map<int, std::uint64_t> odd = layers_with_other_counts(in);
  if (odd.empty()) return;
  const auto& [layer, count] = *odd.begin();
  Draft draft;
  draft.message = fmt::format("layer {} stores {} experts, the config says {}", layer, count,
                              in.config->text.num_experts);
  if (odd.size() > 1) draft.message += fmt::format(", and {} more layers differ", odd.size() - 1);
  draft.subject = fmt::format("layers.{}", layer);
  draft.count = odd.size();
  for (const arch::ExpertBlock& b : in.blueprint->expert_blocks()) {
    if (!b.mtp && odd.contains(b.layer)) add_modules(in, {b.first}, draft);
  }
  draft.effects = {
      {"vllm", results::LoaderState::wrong_weights, "leaves missing experts uninitialised"},
      {"transformers", results::LoaderState::wrong_weights,
       "fills missing experts with random numbers"}};
  draft.fix = "prune every layer to the same number of experts";
  emit(std::move(draft));
}

}  // namespace map022

extern const Rule kMAP022;
const Rule kMAP022{
    .code = "MAP022",
    .name = "layers-differ-in-experts",
    .severity = results::Severity::error,
    .what = "Every layer stores the same number of experts.",
    .why =
        "The config has one `num_experts` for all layers. With fewer in a layer the rest stays "
        "uninitialised and is routed to; with more, names have no place.",
    .bad = "192 experts in layers 0 to 38, 190 in layer 39",
    .good = "192 in every layer",
    .fix = "prune every layer to the same number",
    .sources = "architecture 8; loaders AR004",
    .run = map022::run,
};

}  // namespace ckpt::rules
