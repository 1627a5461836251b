#include <fmt/format.h>

#include "validator/base/text.h"
#include "validator/rules/val/facts.h"

namespace ckpt::rules {
namespace val003 {

void run(const RuleInput& in, const Emit& emit) {
  report_facts(
      in, emit,
      {.wrong = [&in](const ValueFact& f) { return f.zero > 0 && is_scale(in, f); },
       .message =
           [](const ValueFact& f) {
             return fmt::format("{} of {} scales are zero, first at index {}", with_commas(f.zero),
                                with_commas(f.elements), f.first_zero);
           },
       .effects = {{"all", results::LoaderState::wrong_output, "these groups of weights are zero"}},
       .fix = "quantize the module again"});
}

}  // namespace val003

extern const Rule kVAL003;
const Rule kVAL003{
    .code = "VAL003",
    .name = "scale-is-zero",
    .severity = results::Severity::warning,
    .needs = Needs::values,
    .what = "No quantization scale is exactly zero.",
    .why =
        "A zero scale makes its whole group of weights zero. For one expert the KL is about"
        " 1.5e-3: invisible without a comparison. Negative scales are normal in AutoRound "
        "files (about half) and are not flagged.",
    .bad = "a 0 in .scales",
    .good = "scales of at least 1e-5 in magnitude",
    .fix = "quantize the module again",
    .sources = "loaders NUM003, 3.1 (ran); formats 3.4",
    .run = val003::run,
};

}  // namespace ckpt::rules
