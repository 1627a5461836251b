#include "validator/rules/places.h"

namespace ckpt::rules {
namespace stf001 {

void run(const RuleInput& in, const Emit& emit) {
  emit_defects(in, emit, container::DefectKind::truncated,
               [](const container::Defect&, Draft& draft) {
                 draft.effects = every_loader(results::LoaderState::does_not_load,
                                              "the file is refused, nothing of it loads");
                 draft.fix = "fetch or upload the file again";
               });
}

}  // namespace stf001

extern const Rule kSTF001;
const Rule kSTF001{
    .code = "STF001",
    .name = "file-truncated",
    .severity = results::Severity::error,
    .what =
        "Every tensor's bytes lie inside the file: 8 + header + last end is at most its "
        "length.",
    .why =
        "An interrupted upload or download. Every loader refuses the file with \"incomplete"
        " metadata\"; nothing else in the shard can be trusted.",
    .bad = "a header that ends at byte 4,998,569,984 in a file of 4,991,229,952 bytes",
    .good = "a file that ends where its last tensor ends",
    .fix = "fetch or upload the file again",
    .sources = "safetensors 0.8.0, src/tensor.rs; file layout in its README",
    .run = stf001::run,
};

}  // namespace ckpt::rules
