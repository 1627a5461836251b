#include "validator/rules/shared_runs.h"

namespace ckpt::rules {
namespace qnt033 {

void run(const RuleInput& in, const Emit& emit) {
  report_quantized_class(in, emit, arch::ModuleClass::head, true, "keep the head at 16 bits");
}

}  // namespace qnt033

extern const Rule kQNT033;
const Rule kQNT033{
    .code = "QNT033",
    .name = "head-quantized",
    .severity = results::Severity::warning,
    .what = "The output head is stored at 16 bits.",
    .why =
        "vLLM before the suffix rule (vllm #22959, #49137) and SGLang fail on `lm_head.qweight`"
        " of AutoRound files, and errors of the head reach every token's probability.",
    .bad = "lm_head.qweight",
    .good = "lm_head.weight in BF16",
    .fix = "keep the head at 16 bits",
    .sources = "vllm #22959, #49137; loaders QC026",
    .run = qnt033::run,
};

}  // namespace ckpt::rules
