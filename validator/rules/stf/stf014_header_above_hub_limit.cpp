#include "validator/rules/places.h"

namespace ckpt::rules {
namespace stf014 {

void run(const RuleInput& in, const Emit& emit) {
  emit_defects(in, emit, container::DefectKind::header_large,
               [](const container::Defect&, Draft& draft) {
                 draft.effects = {};
                 draft.fix = "write several shards";
               });
}

}  // namespace stf014

extern const Rule kSTF014;
const Rule kSTF014{
    .code = "STF014",
    .name = "header-above-hub-limit",
    .severity = results::Severity::warning,
    .what = "The header has at most 25,000,000 bytes.",
    .why =
        "The hub's metadata reader stops there, so the model page shows no tensors or "
        "parameter count (huggingface_hub 1.33, constants.py).",
    .bad = "one file with 200,000 tensors",
    .good = "several shards of some 5 GB",
    .fix = "write several shards",
    .sources = "huggingface_hub 1.33, constants.py",
    .run = stf014::run,
};

}  // namespace ckpt::rules
