#include "validator/rules/places.h"

namespace ckpt::rules {
namespace idx009 {

void run(const RuleInput& in, const Emit& emit) {
  emit_defects(
      in, emit, container::DefectKind::index_text, [](const container::Defect&, Draft& draft) {
        draft.effects = every_loader(results::LoaderState::does_not_load, "cannot read the index");
        draft.fix = "rebuild the index from the shards";
      });
}

}  // namespace idx009

extern const Rule kIDX009;
const Rule kIDX009{
    .code = "IDX009",
    .name = "index-unreadable",
    .severity = results::Severity::error,
    .what = "The index is JSON with a `weight_map` object that is not empty.",
    .why = "Loaders cannot find the shards.",
    .bad = "an index cut off in the middle",
    .good = "an index written by save_pretrained",
    .fix = "rebuild the index from the shards",
    .sources =
        "transformers 5.17, modeling_utils.py; vLLM 0.33, model_loader/weight_utils.py; "
        "loaders, section 6",
    .run = idx009::run,
};

}  // namespace ckpt::rules
