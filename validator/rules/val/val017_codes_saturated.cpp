#include <fmt/format.h>

#include "validator/base/text.h"
#include "validator/rules/val/facts.h"

namespace ckpt::rules {
namespace val017 {

void run(const RuleInput& in, const Emit& emit) {
  report_facts(in, emit,
               {.wrong =
                    [&in](const ValueFact& f) {
                      return is_words(in, f) && f.code_bits >= 4 && f.codes_used > 1 &&
                             f.extreme_codes > 0.5;
                    },
                .message =
                    [](const ValueFact& f) {
                      return fmt::format("{:.0f} % of the codes are at the ends of the range",
                                         100 * f.extreme_codes);
                    },
                .effects = {{"all", results::LoaderState::wrong_output, "the weights are clipped"}},
                .fix = "quantize the module again"});
}

}  // namespace val017

extern const Rule kVAL017;
const Rule kVAL017{
    .code = "VAL017",
    .name = "codes-saturated",
    .severity = results::Severity::warning,
    .needs = Needs::values,
    .what = "Less than half of a module's codes are the lowest or the highest one.",
    .why =
        "A scale that is too small clips the weights: most codes then sit at the two ends of "
        "the range. Full-range rounding puts about one code per group at an end.",
    .bad = "80 % of the codes are 0 or 15",
    .good = "a few percent",
    .fix = "quantize the module again",
    .sources = "loaders NUM005, NUM007; formats 3.4",
    .run = val017::run,
};

}  // namespace ckpt::rules
