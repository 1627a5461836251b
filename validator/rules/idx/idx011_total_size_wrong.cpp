#include "validator/rules/places.h"

namespace ckpt::rules {
namespace idx011 {

void run(const RuleInput& in, const Emit& emit) {
  emit_defects(in, emit, container::DefectKind::index_total_size,
               [](const container::Defect&, Draft& draft) {
                 draft.effects = {};
                 draft.fix = "write the sum of the tensor bytes";
               });
}

}  // namespace idx011

extern const Rule kIDX011;
const Rule kIDX011{
    .code = "IDX011",
    .name = "total-size-wrong",
    .severity = results::Severity::info,
    .what = "`metadata.total_size` is the sum of the tensors' bytes.",
    .why = "No loader needs it; download tools and the model page show it.",
    .bad = "\"total_size\": 0",
    .good = "the sum of all tensor bytes",
    .fix = "write the sum of the tensor bytes",
    .sources =
        "transformers 5.17, modeling_utils.py; vLLM 0.33, model_loader/weight_utils.py; "
        "loaders, section 6",
    .run = idx011::run,
};

}  // namespace ckpt::rules
