#include "validator/rules/places.h"

namespace ckpt::rules {
namespace stf007 {

void run(const RuleInput& in, const Emit& emit) {
  emit_defects(in, emit, container::DefectKind::overlap,
               [](const container::Defect&, Draft& draft) {
                 draft.effects = every_loader(results::LoaderState::does_not_load,
                                              "the file is refused, nothing of it loads");
                 draft.fix = "write the file again with the safetensors library";
               });
}

}  // namespace stf007

extern const Rule kSTF007;
const Rule kSTF007{
    .code = "STF007",
    .name = "overlapping-tensors",
    .severity = results::Severity::error,
    .what = "No two tensors share bytes, and none ends before it begins.",
    .why =
        "A hand-made or damaged header. The reference library refuses it; a reader that "
        "does not look gives two tensors the same values.",
    .bad = "a is [0, 128], b is [64, 192]",
    .good = "b is [128, 256]",
    .fix = "write the file again with the safetensors library",
    .sources = "safetensors 0.8.0, src/tensor.rs; file layout in its README",
    .run = stf007::run,
};

}  // namespace ckpt::rules
