#include "validator/rules/val/facts.h"

namespace ckpt::rules {
namespace val002 {

void run(const RuleInput& in, const Emit& emit) {
  report_not_finite(in, emit, /*scales=*/false, "copy the tensor from the base model");
}

}  // namespace val002

extern const Rule kVAL002;
const Rule kVAL002{
    .code = "VAL002",
    .name = "weight-not-finite",
    .severity = results::Severity::error,
    .needs = Needs::values,
    .what = "Every stored float is finite.",
    .why =
        "A NaN or infinity spreads to all that follows. `A_log` of -inf means a decay of "
        "one for ever.",
    .bad = "a NaN in input_layernorm.weight",
    .good = "finite values",
    .fix = "copy the tensor from the base model",
    .sources = "loaders NUM002",
    .run = val002::run,
};

}  // namespace ckpt::rules
