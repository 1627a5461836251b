#include <fmt/format.h>

#include "validator/base/text.h"
#include "validator/rules/val/facts.h"

namespace ckpt::rules {
namespace val014 {

void run(const RuleInput& in, const Emit& emit) {
  report_facts(in, emit,
               {.wrong =
                    [&in](const ValueFact& f) {
                      return is_words(in, f) && !degenerate(in, f) && f.dead_groups > 0 &&
                             f.dead_groups * 8 >= f.code_groups;
                    },
                .message =
                    [](const ValueFact& f) {
                      return fmt::format("{} of {} groups hold nothing but the zero point",
                                         with_commas(f.dead_groups), with_commas(f.code_groups));
                    },
                .effects = {{"all", results::LoaderState::wrong_output,
                             "the weights of these groups are zero"}},
                .fix = "compare the module with the base model; quantize it again"});
}

}  // namespace val014

extern const Rule kVAL014;
const Rule kVAL014{
    .code = "VAL014",
    .name = "groups-dead",
    .severity = results::Severity::warning,
    .needs = Needs::values,
    .what = "Less than an eighth of a module's groups hold nothing but the zero point.",
    .why =
        "Such a group's weights are exactly zero. A few belong to weights that were zero in the"
        " base; many mean that the quantizer never saw the values, or that the words were never"
        " written.",
    .bad = "300 of 1,024 groups of experts.5.down_proj are 0x88888888 throughout",
    .good = "no or few such groups",
    .fix = "compare the module with the base model; quantize it again",
    .sources = "formats 2, 3.3; loaders NUM003, NUM007",
    .run = val014::run,
};

}  // namespace ckpt::rules
