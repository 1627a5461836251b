#include "validator/rules/places.h"

#include <fmt/format.h>

#include "validator/base/text.h"

namespace ckpt::rules {
namespace map012 {

struct Verdict {
  bool bad = false;
  std::vector<results::Effect> effects;
  results::Severity severity = results::Severity::error;
};

Verdict judge(config::ModelClass cls, arch::Prefix prefix) {
  using arch::Prefix;
  const bool vl = cls == config::ModelClass::conditional_generation;
  if (prefix == (vl ? Prefix::language_model : Prefix::model)) return {};
  if (prefix == Prefix::engine || prefix == Prefix::doubled) {
    return {
        true,
        {{"vllm", results::LoaderState::does_not_load, "unknown parameter names"},
         {"transformers", results::LoaderState::wrong_weights, "random weights, a warning only"}}};
  }
  if (!vl && prefix == Prefix::language_model) {
    return {
        true,
        {{"sglang", results::LoaderState::wrong_weights, "drops every text tensor with a warning"}},
        results::Severity::warning};
  }
  if (vl && prefix == Prefix::model) {
    return {true,
            {{"vllm", results::LoaderState::does_not_load, "unknown parameter names"},
             {"transformers", results::LoaderState::wrong_weights,
              "all text weights random, a warning only"}}};
  }
  return {true, {{"vllm", results::LoaderState::does_not_load, "unknown parameter names"}}};
}

void run(const RuleInput& in, const Emit& emit) {
  if (in.stored == nullptr) return;
  for (std::size_t p = 0; p < in.stored->prefixes.size(); ++p) {
    if (in.stored->prefixes[p] == 0) continue;
    const auto prefix = static_cast<arch::Prefix>(p);
    Verdict v = judge(in.config->model_class, prefix);
    if (!v.bad) continue;
    Draft draft;
    draft.message = fmt::format("{} text tensors begin with `{}`, the class asks for `{}`",
                                with_commas(in.stored->prefixes[p]), arch::prefix_text(prefix),
                                in.blueprint->text_prefix());
    draft.subject = std::string(arch::prefix_text(prefix));
    draft.count = in.stored->prefixes[p];
    draft.where.push_back(at_json("config.json", "/architectures",
                                  in.config->document->root().find("architectures")));
    draft.effects = std::move(v.effects);
    draft.severity = v.severity;
    draft.fix = fmt::format("rename the tensors to `{}...`", in.blueprint->text_prefix());
    emit(std::move(draft));
  }
}

}  // namespace map012

extern const Rule kMAP012;
const Rule kMAP012{
    .code = "MAP012",
    .name = "prefix-wrong-for-class",
    .severity = results::Severity::error,
    .what =
        "Text tensors begin as the model class expects: `model.language_model.` for "
        "ForConditionalGeneration, `model.` for ForCausalLM.",
    .why =
        "With `model.layers` under ConditionalGeneration transformers loads no text weight "
        "and warns only; vLLM stops. `model.language_model` under CausalLM works in "
        "transformers and vLLM, SGLang drops every tensor. Engine-internal and doubled "
        "prefixes load nowhere.",
    .bad = "model.layers.0... in a Qwen3_5MoeForConditionalGeneration repo",
    .good = "model.language_model.layers.0...",
    .fix = "rename the tensors, or use the other class",
    .sources = "architecture 2.1 (ran)",
    .run = map012::run,
};

}  // namespace ckpt::rules
