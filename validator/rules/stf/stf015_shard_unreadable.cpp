#include "validator/rules/places.h"

namespace ckpt::rules {
namespace stf015 {

void run(const RuleInput& in, const Emit& emit) {
  emit_defects(in, emit, container::DefectKind::unreadable,
               [](const container::Defect&, Draft& draft) {
                 draft.effects =
                     every_loader(results::LoaderState::does_not_load, "the shard cannot be read");
                 draft.fix = "put the file itself into the repo";
               });
}

}  // namespace stf015

extern const Rule kSTF015;
const Rule kSTF015{
    .code = "STF015",
    .name = "shard-unreadable",
    .severity = results::Severity::error,
    .what = "Each shard can be opened and read, and is a regular file inside the repo.",
    .why =
        "A link out of the repo, a directory, a device or a file without permission in "
        "place of a shard.",
    .bad = "model-00001-of-00002.safetensors -> /dev/zero",
    .good = "a regular file",
    .fix = "put the file itself into the repo",
    .sources = "hostile-inputs 4.9",
    .run = stf015::run,
};

}  // namespace ckpt::rules
