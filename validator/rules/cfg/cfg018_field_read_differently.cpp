#include <fmt/format.h>

#include "validator/base/text.h"
#include "validator/rules/documents.h"

namespace ckpt::rules {
namespace cfg018 {

void run(const RuleInput& in, const Emit& emit) {
  if (!in.config->supported) return;
  const json::Value text = text_object(in);
  const auto report = [&](std::string_view name, std::string value, std::string neutral) {
    Draft draft;
    draft.message =
        fmt::format("`{}` is {}, the architecture has {} built in", name, value, neutral);
    draft.subject = std::string(name);
    draft.where.push_back(at_text_field(in, name));
    draft.effects = {{"vllm, sglang", results::LoaderState::wrong_output,
                      "obey the field, transformers does not"}};
    draft.fix = "remove the field";
    emit(std::move(draft));
  };

  struct Flag {
    std::string_view name;
    bool neutral;
  };

  for (const Flag& f :
       {Flag{"attn_output_gate", true}, Flag{"norm_topk_prob", true}, Flag{"qkv_bias", false}}) {
    const auto value = text.find(f.name).boolean();
    if (value && *value != f.neutral)
      report(f.name, *value ? "true" : "false", f.neutral ? "true" : "false");
  }
  const auto flat = text.find("partial_rotary_factor").number();
  const auto nested = text.find("rope_parameters").find("partial_rotary_factor").number();
  if (flat && nested && *flat != *nested) {
    report("partial_rotary_factor", fmt::format("{}", *flat),
           fmt::format("{} in `rope_parameters`", *nested));
  }
}

}  // namespace cfg018

extern const Rule kCFG018;
const Rule kCFG018{
    .code = "CFG018",
    .name = "field-read-differently",
    .severity = results::Severity::warning,
    .what =
        "Fields that only some engines read hold their neutral value: `attn_output_gate` true, "
        "`norm_topk_prob` true, `qkv_bias` false, a flat `partial_rotary_factor` equal to the "
        "one in `rope_parameters`.",
    .why =
        "transformers has these built in and ignores the fields; vLLM or SGLang obey them. With"
        " another value the same weights compute two different models.",
    .bad = "\"norm_topk_prob\": false",
    .good = "the field absent, or \"norm_topk_prob\": true",
    .fix = "remove the field",
    .sources = "architecture 1; loaders CFG014",
    .run = cfg018::run,
};

}  // namespace ckpt::rules
