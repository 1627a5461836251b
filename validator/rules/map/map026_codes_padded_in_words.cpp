#include <fmt/format.h>

#include "validator/base/text.h"
#include "validator/rules/places.h"

namespace ckpt::rules {
namespace map026 {

void run(const RuleInput& in, const Emit& emit) {
  if (in.stored == nullptr || !in.intent->predicted) return;
  std::vector<std::uint32_t> found;
  for (std::uint32_t i = 0; i < in.stored->modules.size(); ++i) {
    const arch::Module& m = in.blueprint->modules()[i];
    const std::int32_t t = in.stored->modules[i].at(quant::Member::weight_packed);
    const loaders::Decision* d = in.intent->decision(i);
    if (t < 0 || d == nullptr || !d->quantized || m.shape.size() != 2 || d->bits < 3 ||
        d->bits > 7 || d->bits == 4)
      continue;
    const auto bits = static_cast<std::uint64_t>(d->bits);
    const auto& words = in.checkpoint->tensors()[static_cast<std::size_t>(t)].shape;
    const std::uint64_t dense = (m.shape[1] * bits + 31) / 32;
    const std::uint64_t codes = 32 / bits;
    const std::uint64_t padded = (m.shape[1] + codes - 1) / codes;
    if (!words.empty() && words.back() == padded && padded != dense) found.push_back(i);
  }
  if (found.empty()) return;
  Draft draft;
  draft.message =
      fmt::format("{} modules hold padded words, as compressed-tensors 0.9.4 wrote them",
                  with_commas(found.size()));
  draft.subject = in.blueprint->modules()[found[0]].name;
  draft.count = found.size();
  add_modules(in, found, draft);
  draft.effects =
      every_loader(results::LoaderState::does_not_load, "expects a dense stream of codes");
  draft.fix = "pack the codes again with a current version";
  emit(std::move(draft));
}

}  // namespace map026

extern const Rule kMAP026;
const Rule kMAP026{
    .code = "MAP026",
    .name = "codes-padded-in-words",
    .severity = results::Severity::warning,
    .what = "Codes of 3, 5, 6 or 7 bits fill the words of compressed-tensors without gaps.",
    .why =
        "compressed-tensors 0.9.4 put 32 div bits whole codes into a word and left the rest "
        "empty. Current versions read a dense stream: the shapes do not fit and loading stops.",
    .bad = "weight_packed [N, 410] for 4,096 inputs at 3 bits",
    .good = "weight_packed [N, 384]",
    .fix = "pack the codes again with a current version",
    .sources = "formats 5.2 (ran); loaders SH010",
    .run = map026::run,
};

}  // namespace ckpt::rules
