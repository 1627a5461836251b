#include "validator/rules/places.h"

namespace ckpt::rules {
namespace idx003 {

void run(const RuleInput& in, const Emit& emit) {
  emit_defects(in, emit, container::DefectKind::index_unlisted_tensor,
               [](const container::Defect&, Draft& draft) {
                 draft.effects = {};
                 draft.fix = "add the tensor to the index, or remove it from the shard";
               });
}

}  // namespace idx003

extern const Rule kIDX003;
const Rule kIDX003{
    .code = "IDX003",
    .name = "unlisted-tensor",
    .severity = results::Severity::warning,
    .what = "Each tensor in the shards is listed in the index.",
    .why =
        "A loader that follows the index never loads this tensor; transformers 5.17 reads "
        "named shards whole and does.",
    .bad = "a shard with a tensor the index does not know",
    .good = "index and shards written together",
    .fix = "add the tensor to the index, or remove it from the shard",
    .sources =
        "transformers 5.17, modeling_utils.py; vLLM 0.33, model_loader/weight_utils.py; "
        "loaders, section 6",
    .run = idx003::run,
};

}  // namespace ckpt::rules
