#include "validator/rules/places.h"

namespace ckpt::rules {
namespace stf009 {

void run(const RuleInput& in, const Emit& emit) {
  emit_defects(in, emit, container::DefectKind::unknown_dtype,
               [](const container::Defect&, Draft& draft) {
                 draft.effects = every_loader(results::LoaderState::does_not_load,
                                              "the file is refused, nothing of it loads");
                 draft.fix = "write the file again with the safetensors library";
               });
}

}  // namespace stf009

extern const Rule kSTF009;
const Rule kSTF009{
    .code = "STF009",
    .name = "unknown-dtype",
    .severity = results::Severity::error,
    .what = "Each dtype is one of the 22 names of safetensors 0.8.0, in that exact spelling.",
    .why = "Loaders refuse the file.",
    .bad = "\"dtype\": \"bf16\"",
    .good = "\"dtype\": \"BF16\"",
    .fix = "write the file again with the safetensors library",
    .sources = "safetensors 0.8.0, src/tensor.rs; file layout in its README",
    .run = stf009::run,
};

}  // namespace ckpt::rules
