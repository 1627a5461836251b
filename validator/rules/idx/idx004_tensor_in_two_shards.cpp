#include "validator/rules/places.h"

namespace ckpt::rules {
namespace idx004 {

void run(const RuleInput& in, const Emit& emit) {
  emit_defects(in, emit, container::DefectKind::tensor_in_two_shards,
               [](const container::Defect&, Draft& draft) {
                 draft.effects =
                     every_loader(results::LoaderState::wrong_weights,
                                  "the copy in the file that comes later by name is used");
                 draft.fix = "remove one of the copies";
               });
}

}  // namespace idx004

extern const Rule kIDX004;
const Rule kIDX004{
    .code = "IDX004",
    .name = "tensor-in-two-shards",
    .severity = results::Severity::error,
    .what = "No tensor is stored in two shards.",
    .why =
        "The later file wins in vLLM and transformers, by the order of names: an accident "
        "decides which weights are used.",
    .bad = "the same name in model-00001 and model-00002",
    .good = "each tensor once",
    .fix = "remove one of the copies",
    .sources =
        "transformers 5.17, modeling_utils.py; vLLM 0.33, model_loader/weight_utils.py; "
        "loaders, section 6",
    .run = idx004::run,
};

}  // namespace ckpt::rules
