#include "validator/rules/places.h"

namespace ckpt::rules {
namespace stf012 {

void run(const RuleInput& in, const Emit& emit) {
  emit_defects(in, emit, container::DefectKind::irregular,
               [](const container::Defect&, Draft& draft) {
                 draft.effects = {};
                 draft.fix = "write the file again with the safetensors library";
               });
}

}  // namespace stf012

extern const Rule kSTF012;
const Rule kSTF012{
    .code = "STF012",
    .name = "irregular-header",
    .severity = results::Severity::warning,
    .what = "The header begins with { and its entries have no unknown fields.",
    .why =
        "Accepted by the reference library today, but outside its written rules: other "
        "readers and later versions may refuse it.",
    .bad = "white space before the opening brace",
    .good = "the header begins with {",
    .fix = "write the file again with the safetensors library",
    .sources = "safetensors 0.8.0, src/tensor.rs; file layout in its README",
    .run = stf012::run,
};

}  // namespace ckpt::rules
