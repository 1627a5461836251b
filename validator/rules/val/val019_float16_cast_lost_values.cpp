#include <fmt/format.h>

#include "validator/base/text.h"
#include "validator/rules/val/base_facts.h"

namespace ckpt::rules {
namespace val019 {

void run(const RuleInput& in, const Emit& emit) {
  const auto message = [](const BaseFact& f, std::size_t n) {
    return fmt::format("{} values are {} in F16, in {} modules",
                       with_commas(f.overflowed > 0 ? f.overflowed : f.flushed),
                       f.overflowed > 0 ? "infinite" : "0", n);
  };
  report_base_facts(
      in, emit,
      {.wrong = [](const BaseFact& f) { return !f.packed && f.cast && f.overflowed > 0; },
       .message = message,
       .effects = {{"all", results::LoaderState::wrong_output, "NaN or infinite output"}},
       .fix = "copy the module from the base in BF16",
       .severity = {}});
  report_base_facts(in, emit,
                    {.wrong =
                         [](const BaseFact& f) {
                           return !f.packed && f.cast && f.overflowed == 0 && f.flushed > 0;
                         },
                     .message = message,
                     .effects = {},
                     .fix = "copy the module from the base in BF16",
                     .severity = results::Severity::warning});
}

}  // namespace val019

extern const Rule kVAL019;
const Rule kVAL019{
    .code = "VAL019",
    .name = "float16-cast-lost-values",
    .severity = results::Severity::error,
    .needs = Needs::base,
    .what = "No value of a plain tensor became infinite or 0 when it was cast to F16.",
    .why =
        "AutoRound leaves the linears that it skips in F16, whatever the model was. Beyond "
        "65504 a value becomes infinite, below 6e-8 it becomes 0: for a router or a gate that "
        "changes which experts run.",
    .bad = "a router stored in F16 whose base holds 70000.0",
    .good = "the same values in BF16",
    .fix = "copy the module from the base in BF16",
    .sources = "loaders DT003, NUM012",
    .run = val019::run,
};

}  // namespace ckpt::rules
