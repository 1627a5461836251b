#include <fmt/format.h>

#include "validator/base/text.h"
#include "validator/rules/val/facts.h"

namespace ckpt::rules {
namespace val009 {

void run(const RuleInput& in, const Emit& emit) {
  report_facts(
      in, emit,
      {.wrong =
           [&in](const ValueFact& f) {
             return f.tiny * 2 >= f.elements && f.tiny > 0 && is_scale(in, f);
           },
       .message =
           [](const ValueFact& f) {
             return fmt::format("{} of {} scales vanish (subnormal or 1e-5)", with_commas(f.tiny),
                                with_commas(f.elements));
           },
       .effects = {{"all", results::LoaderState::wrong_output, "the module adds next to nothing"}},
       .fix = "compare the module with the base model; quantize it again"});
}

}  // namespace val009

extern const Rule kVAL009;
const Rule kVAL009{
    .code = "VAL009",
    .name = "scales-vanish",
    .severity = results::Severity::warning,
    .needs = Needs::values,
    .what =
        "Less than half of a tensor's scales are subnormal in F16, or at the smallest value "
        "writers allow (1e-5).",
    .why =
        "Such scales belong to weights that are practically zero (an expert that died, a tensor"
        " never trained), or the scale dtype is too small for them: in F16 a scale of 1e-5 is "
        "off by up to 0.6 %.",
    .bad = "an expert whose scales are all 1e-5",
    .good = "scales of 1e-4 to 1e-1",
    .fix = "look at the weights of the base; quantize again with larger scales' dtype",
    .sources = "formats 3.4; loaders NUM004",
    .run = val009::run,
};

}  // namespace ckpt::rules
