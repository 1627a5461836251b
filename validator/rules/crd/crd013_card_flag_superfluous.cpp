#include <fmt/format.h>

#include <array>

#include "validator/rules/crd/claims.h"

namespace ckpt::rules {
namespace crd013 {

struct Flag {
  std::string_view text;
  bool auto_round_only;
};

void run(const RuleInput& in, const Emit& all) {
  const Emit emit = first_ones(all);
  if (in.card == nullptr || !in.config->supported) return;
  const bool auto_round =
      in.config->quant && in.config->quant->method == config::QuantMethod::auto_round;
  for (const Flag& f :
       {Flag{"--quantization gptq", true}, Flag{"--quantization auto_round", true},
        Flag{"--hf-overrides '{\"rope_scaling\"", false}, Flag{"--trust-remote-code", false}}) {
    if (f.auto_round_only && !auto_round) continue;
    for (const repo::CardLine& line : in.card->lines) {
      if (line.plain.find(f.text) == std::string::npos) continue;
      emit(contradiction(in, line.number,
                         fmt::format("the card's `{}` has no use here", f.text.substr(0, 40)),
                         std::string(f.text)));
      break;
    }
  }
}

}  // namespace crd013

extern const Rule kCRD013;
const Rule kCRD013{
    .code = "CRD013",
    .name = "card-flag-superfluous",
    .severity = results::Severity::info,
    .what = "The card's commands use flags that the loaders need and accept.",
    .why =
        "vLLM ignores `--quantization` for AutoRound repos and SGLang stops at `gptq` or "
        "`auto_round` there; `--trust-remote-code` asks users to accept a risk that this family"
        " does not need; a `rope_scaling` override at the top level does not reach the text "
        "config.",
    .bad = "vllm serve REPO --quantization gptq",
    .good = "vllm serve REPO --dtype bfloat16",
    .fix = "take the flag out of the example",
    .sources = "cards 000, 001, 003, 004; loaders 2.1, 4 (ran), DOC005",
    .run = crd013::run,
};

}  // namespace ckpt::rules
