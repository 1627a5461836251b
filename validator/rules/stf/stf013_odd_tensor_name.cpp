#include "validator/rules/places.h"

namespace ckpt::rules {
namespace stf013 {

void run(const RuleInput& in, const Emit& emit) {
  emit_defects(in, emit, container::DefectKind::name_odd,
               [](const container::Defect&, Draft& draft) {
                 draft.effects = {};
                 draft.fix = "rename the tensor";
               });
}

}  // namespace stf013

extern const Rule kSTF013;
const Rule kSTF013{
    .code = "STF013",
    .name = "odd-tensor-name",
    .severity = results::Severity::warning,
    .what =
        "Tensor names are free of control and invisible characters and at most 1,024 bytes "
        "long.",
    .why = "No architecture has such names. They can forge lines in logs and reports.",
    .bad = "a name with an escape sequence",
    .good = "model.norm.weight",
    .fix = "rename the tensor",
    .sources = "hostile-inputs 4.4",
    .run = stf013::run,
};

}  // namespace ckpt::rules
