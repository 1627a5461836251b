#include "validator/rules/places.h"

namespace ckpt::rules {
namespace stf004 {

void run(const RuleInput& in, const Emit& emit) {
  emit_defects(in, emit, container::DefectKind::header_text,
               [](const container::Defect&, Draft& draft) {
                 draft.effects = every_loader(results::LoaderState::does_not_load,
                                              "the file is refused, nothing of it loads");
                 draft.fix = "save the shard again with the safetensors library";
               });
}

}  // namespace stf004

extern const Rule kSTF004;
const Rule kSTF004{
    .code = "STF004",
    .name = "header-unreadable",
    .severity = results::Severity::error,
    .what =
        "The header is one JSON object in UTF-8, nested at most 128 deep, with nothing "
        "after it but spaces.",
    .why =
        "A damaged header, NUL padding, a byte order mark, two documents. Readers disagree "
        "about such files; the reference library refuses them.",
    .bad = "a header padded with NUL bytes",
    .good = "a header padded with spaces",
    .fix = "save the shard again with the safetensors library",
    .sources = "safetensors 0.8.0, src/tensor.rs; file layout in its README",
    .run = stf004::run,
};

}  // namespace ckpt::rules
