#include <fmt/format.h>

#include "validator/base/text.h"
#include "validator/rules/val/facts.h"

namespace ckpt::rules {
namespace val011 {

/// auto-round also writes GPTQ, AWQ and compressed-tensors files, and says so in the config.
bool written_by_auto_round(const config::QuantConfig& q) {
  return q.method == config::QuantMethod::auto_round || q.block.value.find("autoround_version") ||
         q.block.value.find("provider").string().value_or("") == "auto-round";
}

void run(const RuleInput& in, const Emit& emit) {
  if (!in.config->quant || written_by_auto_round(*in.config->quant)) return;
  report_facts(in, emit,
               {.wrong = [](const ValueFact& f) { return f.negative > 0; },
                .message =
                    [](const ValueFact& f) {
                      return fmt::format("{} of {} scales are negative", with_commas(f.negative),
                                         with_commas(f.elements));
                    },
                .effects = {{"all", results::LoaderState::wrong_output,
                             "weights of these groups change sign"}},
                .fix = "quantize the module again"});
}

}  // namespace val011

extern const Rule kVAL011;
const Rule kVAL011{
    .code = "VAL011",
    .name = "negative-scale-unexpected",
    .severity = results::Severity::warning,
    .needs = Needs::values,
    .what = "Scales are positive, unless auto-round wrote them.",
    .why =
        "auto-round's symmetric full-range rounding gives half of all scales a negative sign, "
        "and every loader multiplies by them correctly. llm-compressor, GPTQModel, AWQ and FP8 "
        "writers never make one: there a negative scale is a damaged or mislabelled tensor.",
    .bad = "a negative weight_scale written by llm-compressor",
    .good = "negative scales in an AutoRound file",
    .fix = "quantize the module again",
    .sources = "formats 3.4 (ran); loaders NUM006",
    .run = val011::run,
};

}  // namespace ckpt::rules
