#include "validator/rules/shared_runs.h"

namespace ckpt::rules {
namespace qnt011 {

void run(const RuleInput& in, const Emit& emit) {
  report_quantized_class(in, emit, arch::ModuleClass::shared_expert_gate, true,
                         "copy it from the base model and exclude it");
}

}  // namespace qnt011

extern const Rule kQNT011;
const Rule kQNT011{
    .code = "QNT011",
    .name = "shared-expert-gate-quantized",
    .severity = results::Severity::error,
    .what = "No `shared_expert_gate` is stored quantized.",
    .why =
        "It has one output row, which cannot be packed; vLLM builds it without a "
        "quantization config.",
    .bad = "mlp.shared_expert_gate.qweight",
    .good = "mlp.shared_expert_gate.weight",
    .fix = "copy it from the base model and exclude it",
    .sources = "card 001; loaders 2.6",
    .run = qnt011::run,
};

}  // namespace ckpt::rules
