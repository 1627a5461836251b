#include "validator/rules/map/dtypes.h"

namespace ckpt::rules {
namespace map018 {

void run(const RuleInput& in, const Emit& emit) {
  report_plain_dtype(in, emit, Dtype::f16, "copy them from the base model in BF16");
}

}  // namespace map018

extern const Rule kMAP018;
const Rule kMAP018{
    .code = "MAP018",
    .name = "float16-beside-bfloat16",
    .severity = results::Severity::info,
    .what = "Tensors of a BF16 model that are not quantized are stored in BF16.",
    .why =
        "AutoRound leaves the linears it skips in F16. Values beyond 65504 or below 6e-8 were "
        "lost in the cast, which only a comparison with the base shows; loaders convert back "
        "without a word.",
    .bad = "mlp.gate.weight in F16, \"dtype\": \"bfloat16\"",
    .good = "mlp.gate.weight in BF16",
    .fix = "copy the tensors from the base model",
    .sources = "auto-round exports (ran); cards 000, 002; loaders DT003, DT005",
    .run = map018::run,
};

}  // namespace ckpt::rules
