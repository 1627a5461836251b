#include "validator/rules/places.h"

namespace ckpt::rules {
namespace stf016 {

void run(const RuleInput& in, const Emit& emit) {
  emit_defects(
      in, emit, container::DefectKind::weights_missing, [](const container::Defect&, Draft& draft) {
        draft.effects = every_loader(results::LoaderState::does_not_load, "finds no weights");
        draft.fix = "add the weights as safetensors files";
      });
}

}  // namespace stf016

extern const Rule kSTF016;
const Rule kSTF016{
    .code = "STF016",
    .name = "no-weights",
    .severity = results::Severity::error,
    .what = "The repo has at least one safetensors file.",
    .why = "Nothing can be loaded from it.",
    .bad = "a folder with config.json only",
    .good = "model.safetensors, or shards with an index",
    .fix = "add the weights as safetensors files",
    .sources = "loaders, section 6",
    .run = stf016::run,
};

}  // namespace ckpt::rules
