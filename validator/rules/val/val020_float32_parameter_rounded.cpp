#include <fmt/format.h>

#include "validator/base/text.h"
#include "validator/rules/val/base_facts.h"

namespace ckpt::rules {
namespace val020 {

void run(const RuleInput& in, const Emit& emit) {
  report_base_facts(
      in, emit,
      {.wrong =
           [&in](const BaseFact& f) {
             return !f.packed && f.cast && !f.equal && f.overflowed + f.flushed == 0 &&
                    in.blueprint->modules()[f.module].float32_kept;
           },
       .message =
           [](const BaseFact&, std::size_t n) {
             return fmt::format("{} parameters are F32 in the base and rounded here", n);
           },
       .effects = {},
       .fix = "copy them from the base when the last bits matter",
       .severity = {}});
}

}  // namespace val020

extern const Rule kVAL020;
const Rule kVAL020{
    .code = "VAL020",
    .name = "float32-parameter-rounded",
    .severity = results::Severity::info,
    .needs = Needs::base,
    .what = "`A_log` and the norms of linear attention keep the F32 values of the base.",
    .why =
        "Releases store these in F32; transformers saves them in BF16 when the model was "
        "loaded in BF16. The decay exp(A_log) then moves by up to 0.4 %, which nothing "
        "reports.",
    .bad = "linear_attn.A_log BF16, F32 in the base with bits that BF16 does not hold",
    .good = "linear_attn.A_log F32",
    .fix = "copy the tensors from the base",
    .sources = "architecture 8.2; loaders DT006",
    .run = val020::run,
};

}  // namespace ckpt::rules
