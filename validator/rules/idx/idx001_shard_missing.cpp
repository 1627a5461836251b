#include "validator/rules/places.h"

namespace ckpt::rules {
namespace idx001 {

void run(const RuleInput& in, const Emit& emit) {
  emit_defects(in, emit, container::DefectKind::index_missing_shard,
               [](const container::Defect&, Draft& draft) {
                 draft.effects = every_loader(results::LoaderState::does_not_load,
                                              "stops: the file is not found");
                 draft.fix =
                     "upload the missing file, or rebuild the index from the files that are there";
               });
}

}  // namespace idx001

extern const Rule kIDX001;
const Rule kIDX001{
    .code = "IDX001",
    .name = "shard-missing",
    .severity = results::Severity::error,
    .what = "Every file that `weight_map` names exists and can be opened.",
    .why = "An incomplete upload. Loaders stop with FileNotFoundError.",
    .bad = "\"weight_map\": {\"a\": \"model-00002.safetensors\"} without that file",
    .good = "all named files are in the repo",
    .fix = "upload the missing file, or rebuild the index from the files that are there",
    .sources =
        "transformers 5.17, modeling_utils.py; vLLM 0.33, model_loader/weight_utils.py; "
        "loaders, section 6",
    .run = idx001::run,
};

}  // namespace ckpt::rules
