#include <fmt/format.h>

#include "validator/base/text.h"
#include "validator/rules/val/base_facts.h"

namespace ckpt::rules {
namespace val021 {

void run(const RuleInput& in, const Emit& emit) {
  report_base_facts(
      in, emit,
      {.wrong = [](const BaseFact& f) { return !f.packed && !f.equal && !f.cast && !f.round_trip; },
       .message =
           [](const BaseFact& f, std::size_t n) {
             return fmt::format("{} unquantized modules differ from the base, the first by {:.2g}",
                                n, f.error);
           },
       .effects = {},
       .fix = "name the right base, or copy the tensors from it",
       .severity = {}});
  report_base_facts(in, emit,
                    {.wrong = [](const BaseFact& f) { return f.round_trip; },
                     .message =
                         [](const BaseFact&, std::size_t n) {
                           return fmt::format("{} norms are the base's after BF16(1 + w) and back",
                                              n);
                         },
                     .effects = {},
                     .fix = "copy the norms from the base: scales moved by up to 0.39 %",
                     .severity = results::Severity::info});
}

}  // namespace val021

extern const Rule kVAL021;
const Rule kVAL021{
    .code = "VAL021",
    .name = "plain-tensor-not-of-the-base",
    .severity = results::Severity::warning,
    .needs = Needs::base,
    .what = "Unquantized tensors hold the base's values, or their rounding to the stored dtype.",
    .why =
        "What was not quantized should not have changed: another value means another base, a "
        "fine-tune in between, or a transform folded into the norms. llm-compressor stores "
        "every norm as BF16(1 + w) less one, which moves scales by up to 0.39 %: said as "
        "information.",
    .bad = "a router whose rows are not the base's",
    .good = "the same values in F32, BF16 or F16",
    .fix = "name the right base, or copy the tensors from it",
    .sources = "architecture 8.2; loaders NUM010",
    .run = val021::run,
};

}  // namespace ckpt::rules
