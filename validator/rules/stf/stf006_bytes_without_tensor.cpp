#include "validator/rules/places.h"

namespace ckpt::rules {
namespace stf006 {

void run(const RuleInput& in, const Emit& emit) {
  emit_defects(in, emit, container::DefectKind::hole, [](const container::Defect&, Draft& draft) {
    draft.effects = every_loader(results::LoaderState::does_not_load,
                                 "the file is refused, nothing of it loads");
    draft.fix = "write the file again with the safetensors library";
  });
}

}  // namespace stf006

extern const Rule kSTF006;
const Rule kSTF006{
    .code = "STF006",
    .name = "bytes-without-tensor",
    .severity = results::Severity::error,
    .what = "Tensors cover the data without a gap, and the file ends with the last one.",
    .why =
        "Bytes that belong to nobody are refused by the reference library, and are a hiding"
        " place.",
    .bad = "tensor a ends at 128, tensor b begins at 192",
    .good = "b begins where a ends",
    .fix = "write the file again with the safetensors library",
    .sources = "safetensors 0.8.0, src/tensor.rs; file layout in its README",
    .run = stf006::run,
};

}  // namespace ckpt::rules
