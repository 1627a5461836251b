#include "validator/rules/places.h"

namespace ckpt::rules {
namespace stf010 {

void run(const RuleInput& in, const Emit& emit) {
  emit_defects(in, emit, container::DefectKind::entry, [](const container::Defect&, Draft& draft) {
    draft.effects = every_loader(results::LoaderState::does_not_load,
                                 "the file is refused, nothing of it loads");
    draft.fix = "write the file again with the safetensors library";
  });
}

}  // namespace stf010

extern const Rule kSTF010;
const Rule kSTF010{
    .code = "STF010",
    .name = "malformed-entry",
    .severity = results::Severity::error,
    .what =
        "Each entry has dtype (string), shape (integers from 0 to 2^64-1) and data_offsets "
        "(two integers).",
    .why = "Loaders refuse the file, or each reads something else into it.",
    .bad = "\"shape\": [16.0, 4]",
    .good = "\"shape\": [16, 4]",
    .fix = "write the file again with the safetensors library",
    .sources = "safetensors 0.8.0, src/tensor.rs; file layout in its README",
    .run = stf010::run,
};

}  // namespace ckpt::rules
