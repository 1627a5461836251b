#include <fmt/format.h>

#include <set>

#include "validator/rules/map/layers.h"

namespace ckpt::rules {
namespace map023 {

void run(const RuleInput& in, const Emit& emit) {
  const std::set<int> layers = layers_of_wrong_kind(in);
  if (layers.empty()) return;
  Draft draft;
  const bool full = in.config->text.layer_types[static_cast<std::size_t>(*layers.begin())] ==
                    config::LayerType::full_attention;
  draft.message = fmt::format("layer {} stores {} attention, `layer_types` says {}",
                              *layers.begin(), full ? "linear" : "full", full ? "full" : "linear");
  if (layers.size() > 1) draft.message += fmt::format(", and {} more layers", layers.size() - 1);
  draft.subject = fmt::format("layers.{}", *layers.begin());
  draft.count = layers.size();
  for (const quant::Stranger& s : in.stored->strangers) {
    if (s.placement.layer == *layers.begin() && draft.where.size() < 20)
      add_tensors(in, {s.tensor}, draft);
  }
  draft.effects = {
      {"vllm", results::LoaderState::does_not_load, "unknown parameter names"},
      {"transformers", results::LoaderState::wrong_weights, "random attention weights"},
      {"sglang", results::LoaderState::wrong_weights, "random attention weights"}};
  draft.fix = "write the `layer_types` of the stored layers";
  emit(std::move(draft));
}

}  // namespace map023

extern const Rule kMAP023;
const Rule kMAP023{
    .code = "MAP023",
    .name = "layer-kind-contradicts",
    .severity = results::Severity::error,
    .what = "Each layer stores the attention that `layer_types` gives it.",
    .why =
        "A layer of the wrong kind finds none of its weights: vLLM stops at the unknown names, "
        "transformers and SGLang fill the layer with random numbers.",
    .bad = "linear_attn tensors in layer 3, \"full_attention\" in `layer_types`",
    .good = "self_attn tensors in layer 3",
    .fix = "write the `layer_types` of the stored layers",
    .sources = "architecture 1.2; loaders AR005",
    .run = map023::run,
};

}  // namespace ckpt::rules
