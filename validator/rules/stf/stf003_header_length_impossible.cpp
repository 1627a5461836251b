#include "validator/rules/places.h"

namespace ckpt::rules {
namespace stf003 {

void run(const RuleInput& in, const Emit& emit) {
  emit_defects(in, emit, container::DefectKind::header_length,
               [](const container::Defect&, Draft& draft) {
                 draft.effects = every_loader(results::LoaderState::does_not_load,
                                              "the file is refused, nothing of it loads");
                 draft.fix = "save or fetch the file again";
               });
}

}  // namespace stf003

extern const Rule kSTF003;
const Rule kSTF003{
    .code = "STF003",
    .name = "header-length-impossible",
    .severity = results::Severity::error,
    .what =
        "The header length in the first eight bytes is at most 100,000,000 and fits into "
        "the file.",
    .why = "The file is damaged or cut off inside its header. Every loader refuses it.",
    .bad = "a length of 7,526,752 in a file of 800 bytes",
    .good = "8 + header length at most the file's length",
    .fix = "save or fetch the file again",
    .sources = "safetensors 0.8.0, src/tensor.rs; file layout in its README",
    .run = stf003::run,
};

}  // namespace ckpt::rules
