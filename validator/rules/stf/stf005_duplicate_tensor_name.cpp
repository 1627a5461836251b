#include "validator/rules/places.h"

namespace ckpt::rules {
namespace stf005 {

void run(const RuleInput& in, const Emit& emit) {
  emit_defects(
      in, emit, container::DefectKind::duplicate_name, [](const container::Defect&, Draft& draft) {
        draft.effects = every_loader(
            results::LoaderState::wrong_weights,
            "which of the copies is loaded is undefined; the safetensors library takes the last");
        draft.fix = "write the file again with each tensor once";
      });
}

}  // namespace stf005

extern const Rule kSTF005;
const Rule kSTF005{
    .code = "STF005",
    .name = "duplicate-tensor-name",
    .severity = results::Severity::error,
    .what = "No tensor name stands twice in one header (names compared after unescaping).",
    .why =
        "The reference library keeps the last entry and says nothing; other readers keep "
        "the first. Two readers of one file then see two models.",
    .bad = "{\"w\": {...}, \"w\": {...}}",
    .good = "each name once",
    .fix = "write the file again with each tensor once",
    .sources = "safetensors 0.8.0, src/tensor.rs; file layout in its README; hostile-inputs 4.2",
    .run = stf005::run,
};

}  // namespace ckpt::rules
