#include "validator/rules/places.h"

namespace ckpt::rules {
namespace idx006 {

void run(const RuleInput& in, const Emit& emit) {
  emit_defects(in, emit, container::DefectKind::index_no_metadata,
               [](const container::Defect&, Draft& draft) {
                 draft.effects = {
                     {"transformers", results::LoaderState::does_not_load, "KeyError: metadata"}};
                 draft.fix = "add \"metadata\": {\"total_size\": N}";
               });
}

}  // namespace idx006

extern const Rule kIDX006;
const Rule kIDX006{
    .code = "IDX006",
    .name = "index-without-metadata",
    .severity = results::Severity::error,
    .what = "The index has a `metadata` object.",
    .why = "transformers raises KeyError on it.",
    .bad = "{\"weight_map\": {...}}",
    .good = "{\"metadata\": {\"total_size\": 123}, \"weight_map\": {...}}",
    .fix = "add \"metadata\": {\"total_size\": N}",
    .sources =
        "transformers 5.17, modeling_utils.py; vLLM 0.33, model_loader/weight_utils.py; "
        "loaders, section 6",
    .run = idx006::run,
};

}  // namespace ckpt::rules
