#include <fmt/format.h>

#include "validator/base/text.h"
#include "validator/rules/places.h"

namespace ckpt::rules {
namespace map024 {

void run(const RuleInput& in, const Emit& emit) {
  if (in.stored == nullptr) return;
  std::vector<std::uint32_t> found;
  for (std::uint32_t i = 0; i < in.stored->modules.size(); ++i) {
    if (in.stored->modules[i].at(quant::Member::bias) >= 0 && !in.blueprint->modules()[i].bias)
      found.push_back(i);
  }
  if (found.empty()) return;
  Draft draft;
  draft.message = fmt::format("{} modules store a bias that the architecture has not",
                              with_commas(found.size()));
  draft.subject = in.blueprint->modules()[found[0]].name;
  draft.count = found.size();
  for (const std::uint32_t m : found) {
    add_tensors(in, {static_cast<std::uint32_t>(in.stored->modules[m].at(quant::Member::bias))},
                draft);
  }
  draft.effects = every_loader(results::LoaderState::wrong_output, "drops the bias without a word");
  draft.fix = "remove the tensors, or set `attention_bias`";
  emit(std::move(draft));
}

}  // namespace map024

extern const Rule kMAP024;
const Rule kMAP024{
    .code = "MAP024",
    .name = "bias-unexpected",
    .severity = results::Severity::warning,
    .what = "No `.bias` is stored for a module that the architecture builds without one.",
    .why =
        "vLLM skips unknown `.bias` tensors by rule and transformers ignores them: if the "
        "weights were made to be used with it, the output is off and nobody says so.",
    .bad = "self_attn.o_proj.bias with \"attention_bias\": false",
    .good = "no bias",
    .fix = "remove the bias, or correct `attention_bias`",
    .sources = "loaders 2.7, NM010",
    .run = map024::run,
};

}  // namespace ckpt::rules
