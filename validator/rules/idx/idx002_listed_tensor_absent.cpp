#include "validator/rules/places.h"

namespace ckpt::rules {
namespace idx002 {

void run(const RuleInput& in, const Emit& emit) {
  emit_defects(in, emit, container::DefectKind::index_absent_tensor,
               [](const container::Defect&, Draft& draft) {
                 draft.effects = {{"vllm", results::LoaderState::wrong_weights,
                                   "the parameter stays uninitialised, without a word"},
                                  {"transformers", results::LoaderState::wrong_weights,
                                   "the parameter is newly initialised if the tensor is nowhere"}};
                 draft.fix = "rebuild the index from the shards";
               });
}

}  // namespace idx002

extern const Rule kIDX002;
const Rule kIDX002{
    .code = "IDX002",
    .name = "listed-tensor-absent",
    .severity = results::Severity::error,
    .what = "Each tensor of the index is in the shard it is mapped to.",
    .why =
        "A stale index. A tensor that is nowhere stays uninitialised; no loader says so for"
        " quantized models.",
    .bad = "an index entry for a tensor that was renamed",
    .good = "index and shards written together",
    .fix = "rebuild the index from the shards",
    .sources =
        "transformers 5.17, modeling_utils.py; vLLM 0.33, model_loader/weight_utils.py; "
        "loaders, section 6",
    .run = idx002::run,
};

}  // namespace ckpt::rules
