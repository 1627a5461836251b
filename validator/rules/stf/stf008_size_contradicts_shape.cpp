#include "validator/rules/places.h"

namespace ckpt::rules {
namespace stf008 {

void run(const RuleInput& in, const Emit& emit) {
  emit_defects(in, emit, container::DefectKind::size_mismatch,
               [](const container::Defect&, Draft& draft) {
                 draft.effects = every_loader(results::LoaderState::does_not_load,
                                              "the file is refused, nothing of it loads");
                 draft.fix = "write the file again with the safetensors library";
               });
}

}  // namespace stf008

extern const Rule kSTF008;
const Rule kSTF008{
    .code = "STF008",
    .name = "size-contradicts-shape",
    .severity = results::Severity::error,
    .what =
        "end - begin equals the product of the shape times the size of the dtype, computed "
        "without overflow.",
    .why =
        "The reference library refuses it. Readers that trust one side read beyond the "
        "tensor or beyond the file.",
    .bad = "shape [64, 2048] of I32 with 65,536 bytes",
    .good = "shape [64, 2048] of I32 with 524,288 bytes",
    .fix = "write the file again with the safetensors library",
    .sources = "safetensors 0.8.0, src/tensor.rs; file layout in its README",
    .run = stf008::run,
};

}  // namespace ckpt::rules
