#include "validator/rules/places.h"

namespace ckpt::rules {
namespace idx007 {

void run(const RuleInput& in, const Emit& emit) {
  emit_defects(
      in, emit, container::DefectKind::index_value, [](const container::Defect&, Draft& draft) {
        draft.effects = {{"transformers", results::LoaderState::does_not_load,
                          "would open that path outside the repo"},
                         {"vllm", results::LoaderState::does_not_load, "the file is not found"}};
        draft.fix = "name the file itself, and put it into the repo";
      });
}

}  // namespace idx007

extern const Rule kIDX007;
const Rule kIDX007{
    .code = "IDX007",
    .name = "shard-name-leaves-repo",
    .severity = results::Severity::error,
    .unwaivable = true,
    .what =
        "Each value of `weight_map` is the plain name of a safetensors file in the same "
        "folder.",
    .why =
        "transformers joins the value unchecked: \"../x\" or \"/dev/zero\" is opened on the"
        " machine of whoever loads the model. ckpt-check never opens it.",
    .bad = "\"lm_head.weight\": \"../../secrets.safetensors\"",
    .good = "\"lm_head.weight\": \"model-00002-of-00002.safetensors\"",
    .fix = "name the file itself, and put it into the repo",
    .sources = "transformers 5.17, utils/hub.py, get_checkpoint_shard_files (ran)",
    .run = idx007::run,
};

}  // namespace ckpt::rules
