#include "validator/rules/shared_runs.h"

namespace ckpt::rules {
namespace qnt012 {

void run(const RuleInput& in, const Emit& emit) {
  report_quantized_class(in, emit, arch::ModuleClass::vision, true,
                         "copy the vision tensors from the base model and exclude them");
}

}  // namespace qnt012

extern const Rule kQNT012;
const Rule kQNT012{
    .code = "QNT012",
    .name = "vision-quantized",
    .severity = results::Severity::error,
    .what = "No module of the vision tower or its merger is stored quantized.",
    .why =
        "Text-only calibration says nothing about images; 4304-wide layers cannot take "
        "groups of 32, 64 or 128, and kernels refuse them. SGLang builds the tower without "
        "a config.",
    .bad = "model.visual.blocks.0.attn.proj.qweight",
    .good = "model.visual.blocks.0.attn.proj.weight in BF16",
    .fix = "copy the vision tensors from the base model and exclude them",
    .sources = "card 002; loaders 2.8; architecture 2.4",
    .run = qnt012::run,
};

}  // namespace ckpt::rules
