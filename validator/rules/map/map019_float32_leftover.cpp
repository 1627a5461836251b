#include "validator/rules/map/dtypes.h"

namespace ckpt::rules {
namespace map019 {

void run(const RuleInput& in, const Emit& emit) {
  report_plain_dtype(in, emit, Dtype::f32, "store them in BF16");
}

}  // namespace map019

extern const Rule kMAP019;
const Rule kMAP019{
    .code = "MAP019",
    .name = "float32-leftover",
    .severity = results::Severity::info,
    .what = "Tensors of a BF16 model that the architecture keeps in BF16 are not stored in F32.",
    .why = "A calibrated run on a CPU leaves them so: twice the size, no harm.",
    .bad = "input_layernorm.weight in F32, \"dtype\": \"bfloat16\"",
    .good = "input_layernorm.weight in BF16",
    .fix = "store them in BF16",
    .sources = "auto-round exports on CPU (ran); loaders DT004, DT006",
    .run = map019::run,
};

}  // namespace ckpt::rules
