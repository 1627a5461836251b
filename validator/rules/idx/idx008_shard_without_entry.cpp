#include "validator/rules/places.h"

namespace ckpt::rules {
namespace idx008 {

void run(const RuleInput& in, const Emit& emit) {
  emit_defects(in, emit, container::DefectKind::orphan_shard,
               [](const container::Defect&, Draft& draft) {
                 draft.effects = {};
                 draft.fix = "remove the file, or list its tensors in the index";
               });
}

}  // namespace idx008

extern const Rule kIDX008;
const Rule kIDX008{
    .code = "IDX008",
    .name = "shard-without-entry",
    .severity = results::Severity::warning,
    .what = "Every safetensors file is named by the index.",
    .why = "Dead weight: downloaded by everybody, loaded by nobody.",
    .bad = "visual-old.safetensors that no entry names",
    .good = "only files the index names",
    .fix = "remove the file, or list its tensors in the index",
    .sources =
        "transformers 5.17, modeling_utils.py; vLLM 0.33, model_loader/weight_utils.py; "
        "loaders, section 6",
    .run = idx008::run,
};

}  // namespace ckpt::rules
