#include "validator/rules/places.h"

namespace ckpt::rules {
namespace stf002 {

void run(const RuleInput& in, const Emit& emit) {
  emit_defects(in, emit, container::DefectKind::not_safetensors,
               [](const container::Defect&, Draft& draft) {
                 draft.effects = every_loader(results::LoaderState::does_not_load,
                                              "the file is refused, nothing of it loads");
                 draft.fix = "put the real file in its place (for an LFS pointer: git lfs pull)";
               });
}

}  // namespace stf002

extern const Rule kSTF002;
const Rule kSTF002{
    .code = "STF002",
    .name = "not-a-safetensors-file",
    .severity = results::Severity::error,
    .what =
        "A file with the ending .safetensors is one: its first eight bytes give a header "
        "length that fits.",
    .why =
        "A Git LFS pointer, an HTML error page, a pickle or a GGUF file under the name of a"
        " shard. Loaders stop with \"header too large\" or \"invalid header length\".",
    .bad = "a 134-byte file that begins with \"version https://git-lfs.github.com/spec/v1\"",
    .good = "the weights themselves",
    .fix = "put the real file in its place (for an LFS pointer: git lfs pull)",
    .sources = "safetensors 0.8.0, src/tensor.rs; file layout in its README",
    .run = stf002::run,
};

}  // namespace ckpt::rules
