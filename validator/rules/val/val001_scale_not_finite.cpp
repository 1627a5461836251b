#include "validator/rules/val/facts.h"

namespace ckpt::rules {
namespace val001 {

void run(const RuleInput& in, const Emit& emit) {
  report_not_finite(in, emit, /*scales=*/true, "quantize the module again");
}

}  // namespace val001

extern const Rule kVAL001;
const Rule kVAL001{
    .code = "VAL001",
    .name = "scale-not-finite",
    .severity = results::Severity::error,
    .needs = Needs::values,
    .what = "Every quantization scale is finite.",
    .why =
        "One NaN scale makes every output NaN as soon as its module, or its expert, is "
        "used. No loader looks.",
    .bad = "a NaN in .scales",
    .good = "finite scales",
    .fix = "quantize the module again",
    .sources = "loaders NUM001, 3.1 (ran)",
    .run = val001::run,
};

}  // namespace ckpt::rules
