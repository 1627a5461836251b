#include <fmt/format.h>

#include "validator/base/text.h"
#include "validator/rules/val/facts.h"

namespace ckpt::rules {
namespace val012 {

void run(const RuleInput& in, const Emit& emit) {
  report_facts(in, emit,
               {.wrong = [&in](const ValueFact& f) { return degenerate(in, f); },
                .message = [](const ValueFact& f) -> std::string {
                  if (f.codes_used == 1) return "all codes of the module are equal";
                  return fmt::format("{} different codes, {:.1f} bits of information in {}",
                                     f.codes_used, f.code_entropy, f.code_bits);
                },
                .effects = {{"all", results::LoaderState::wrong_output,
                             "the module's weights are constants, or nearly"}},
                .fix = "quantize the module again"});
}

}  // namespace val012

extern const Rule kVAL012;
const Rule kVAL012{
    .code = "VAL012",
    .name = "codes-degenerate",
    .severity = results::Severity::warning,
    .needs = Needs::values,
    .what = "The packed codes of each module use more than a fraction of the values they can take.",
    .why =
        "Codes of a trained weight carry about 3.3 of 4 bits. One value throughout, or an "
        "entropy below half the width, is a tensor of constants, words left at their default, "
        "or a wrong bit width: the module computes nothing useful.",
    .bad = "qweight of 0x88888888 throughout",
    .good = "an entropy of 3 bits or more at 4 bits",
    .fix = "quantize the module again",
    .sources = "loaders NUM007",
    .run = val012::run,
};

}  // namespace ckpt::rules
