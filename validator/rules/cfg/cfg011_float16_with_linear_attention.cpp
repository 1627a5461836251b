#include <fmt/format.h>

#include "validator/rules/edits.h"
#include "validator/rules/places.h"

#include <algorithm>

namespace ckpt::rules {
namespace cfg011 {

bool has_linear_attention(const config::ModelConfig& c) {
  return c.supported &&
         std::ranges::find(c.text.layer_types, config::LayerType::linear_attention) !=
             c.text.layer_types.end();
}

void run(const RuleInput& in, const Emit& emit) {
  if (!has_linear_attention(*in.config)) return;
  Draft draft;
  draft.count = 0;
  for (const config::DtypeField& f : in.config->dtypes) {
    if (f.value != "float16" && f.value != "torch.float16" && f.value != "half") continue;
    if (draft.count++ == 0) draft.subject = f.pointer;
    results::Location w = at_json("config.json", f.pointer, f.member.value);
    w.note = "linear-attention states exceed 65504, the float16 maximum";
    add_place(draft, std::move(w));
    draft.edits.push_back(replace_value("config.json", f.member.value, "\"bfloat16\""));
  }
  if (draft.count == 0) return;
  draft.message = draft.count == 1
                      ? std::string("the declared dtype is float16")
                      : fmt::format("the declared dtype is float16, in {} places", draft.count);
  draft.effects = {{"vllm", results::LoaderState::wrong_output, "NaN, seen as `!!!!!!!`"},
                   {"transformers", results::LoaderState::wrong_output, "NaN with dtype=\"auto\""}};
  draft.fix = "write \"bfloat16\"";
  emit(std::move(draft));
}

}  // namespace cfg011

extern const Rule kCFG011;
const Rule kCFG011{
    .code = "CFG011",
    .name = "float16-with-linear-attention",
    .severity = results::Severity::error,
    .repairable = true,
    .what =
        "No declared dtype (`dtype`, `torch_dtype`; top level, text_config, vision_config) "
        "is float16 in a model with linear-attention layers.",
    .why =
        "Gated DeltaNet models are trained in BF16; several publishers report NaN or "
        "`!!!!!!!` output in float16 (maximum 65504). vLLM refuses float16 only for other "
        "models, so it runs and overflows; transformers with dtype=\"auto\" follows the "
        "config. auto-round exports with format auto_gptq or auto_awq write float16 "
        "whatever the model was.",
    .bad = "\"torch_dtype\": \"float16\"",
    .good = "\"torch_dtype\": \"bfloat16\"",
    .fix = "write \"bfloat16\"",
    .sources = "cards 000 to 002; auto-round 0.15.1 exports (ran); loaders 2.9; architecture 9",
    .run = cfg011::run,
};

}  // namespace ckpt::rules
