#include "validator/rules/shared_runs.h"

namespace ckpt::rules {
namespace qnt010 {

void run(const RuleInput& in, const Emit& emit) {
  report_quantized_class(in, emit, arch::ModuleClass::router, true,
                         "copy `mlp.gate.weight` from the base model and exclude it");
}

}  // namespace qnt010

extern const Rule kQNT010;
const Rule kQNT010{
    .code = "QNT010",
    .name = "router-quantized",
    .severity = results::Severity::error,
    .what = "No router (`mlp.gate`) is stored quantized.",
    .why =
        "The router decides which experts run; quantization noise changes the choice. vLLM "
        "builds it without a quantization config and has no parameter for packed tensors; "
        "transformers leaves it random.",
    .bad = "mlp.gate.qweight, .qzeros, .scales",
    .good = "mlp.gate.weight in BF16",
    .fix = "copy `mlp.gate.weight` from the base model and exclude it",
    .sources = "auto-round #1776; loaders 2.6, 3.1 (ran)",
    .run = qnt010::run,
};

}  // namespace ckpt::rules
