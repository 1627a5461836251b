#include "validator/rules/places.h"

namespace ckpt::rules {
namespace idx010 {

void run(const RuleInput& in, const Emit& emit) {
  emit_defects(in, emit, container::DefectKind::index_duplicate_key,
               [](const container::Defect&, Draft& draft) {
                 draft.effects = {};
                 draft.fix = "rebuild the index from the shards";
               });
}

}  // namespace idx010

extern const Rule kIDX010;
const Rule kIDX010{
    .code = "IDX010",
    .name = "index-duplicate-key",
    .severity = results::Severity::error,
    .what = "No tensor stands twice in `weight_map`.",
    .why = "The later entry wins; other readers keep the first.",
    .bad = "{\"a\": \"x.safetensors\", \"a\": \"y.safetensors\"}",
    .good = "each tensor once",
    .fix = "rebuild the index from the shards",
    .sources =
        "transformers 5.17, modeling_utils.py; vLLM 0.33, model_loader/weight_utils.py; "
        "loaders, section 6",
    .run = idx010::run,
};

}  // namespace ckpt::rules
