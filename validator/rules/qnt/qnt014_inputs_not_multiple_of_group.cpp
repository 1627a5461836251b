#include "validator/rules/places.h"

#include <fmt/format.h>

namespace ckpt::rules {
namespace qnt014 {

void run(const RuleInput& in, const Emit& emit) {
  if (in.stored == nullptr || !in.intent->predicted) return;
  std::vector<std::uint32_t> found;
  for (std::uint32_t i = 0; i < in.stored->modules.size(); ++i) {
    const loaders::Decision* d = in.intent->decision(i);
    const Shape& shape = in.blueprint->modules()[i].shape;
    if (d == nullptr || !d->quantized || d->group_size <= 0 || shape.size() != 2) continue;
    if (!quant::is_quantized(in.stored->modules[i].format)) continue;
    const auto g = static_cast<std::uint64_t>(d->group_size);
    if (shape[1] > g && shape[1] % g != 0) found.push_back(i);
  }
  if (found.empty()) return;
  const std::uint64_t inputs = in.blueprint->modules()[found[0]].shape[1];
  Draft draft;
  draft.message = fmt::format("{} inputs do not divide into groups of {}, in {} modules", inputs,
                              in.intent->decision(found[0])->group_size, found.size());
  draft.subject = in.blueprint->modules()[found[0]].name;
  draft.count = found.size();
  add_modules(in, found, draft);
  draft.effects.push_back(
      {"vllm", results::LoaderState::does_not_load,
       fmt::format("expects {} groups, {} are stored",
                   inputs / static_cast<std::uint64_t>(in.intent->decision(found[0])->group_size),
                   in.stored->modules[found[0]].groups)});
  draft.fix = "choose a group size that divides the inputs";
  emit(std::move(draft));
}

}  // namespace qnt014

extern const Rule kQNT014;
const Rule kQNT014{
    .code = "QNT014",
    .name = "inputs-not-multiple-of-group",
    .severity = results::Severity::warning,
    .what = "The inputs of each quantized module are a multiple of its group size.",
    .why =
        "Writers make ceil(K/g) groups, loaders expect K/g: vLLM stops on the shape, and no"
        " fast kernel takes a ragged last group.",
    .bad = "down_proj with 48 inputs in groups of 32",
    .good = "48 inputs in groups of 16, or 64 inputs",
    .fix = "choose a group size that divides the inputs, or exclude the module",
    .sources = "loaders 2.8; formats 3.1",
    .run = qnt014::run,
};

}  // namespace ckpt::rules
