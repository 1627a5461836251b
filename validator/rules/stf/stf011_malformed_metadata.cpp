#include "validator/rules/places.h"

namespace ckpt::rules {
namespace stf011 {

void run(const RuleInput& in, const Emit& emit) {
  emit_defects(in, emit, container::DefectKind::metadata,
               [](const container::Defect&, Draft& draft) {
                 draft.effects = every_loader(results::LoaderState::does_not_load,
                                              "the file is refused, nothing of it loads");
                 draft.fix = "write the metadata values as strings";
               });
}

}  // namespace stf011

extern const Rule kSTF011;
const Rule kSTF011{
    .code = "STF011",
    .name = "malformed-metadata",
    .severity = results::Severity::error,
    .what = "`__metadata__`, when present, is an object whose values are all strings.",
    .why = "The reference library refuses the file.",
    .bad = "\"__metadata__\": {\"step\": 3}",
    .good = "\"__metadata__\": {\"step\": \"3\"}",
    .fix = "write the metadata values as strings",
    .sources = "safetensors 0.8.0, src/tensor.rs; file layout in its README",
    .run = stf011::run,
};

}  // namespace ckpt::rules
