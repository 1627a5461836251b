#include "validator/rules/places.h"

#include <fmt/format.h>

#include "validator/base/text.h"

namespace ckpt::rules {
namespace {

void run(const RuleInput& in, const Emit& emit) {
  if (in.stored == nullptr || !in.config->quant || !in.intent->predicted) return;
  std::vector<std::uint32_t> found;
  for (std::uint32_t i = 0; i < in.stored->modules.size(); ++i) {
    const quant::Stored& s = in.stored->modules[i];
    const loaders::Decision* d = in.intent->decision(i);
    if (d == nullptr || !d->quantized || !quant::is_quantized(s.format)) continue;
    const bool differs = s.bits != 0 && s.bits != d->bits;
    if (differs) found.push_back(i);
  }
  if (found.empty()) return;
  const quant::Stored& s = in.stored->modules[found[0]];
  const loaders::Decision& d = *in.intent->decision(found[0]);
  const config::QuantConfig& q = *in.config->quant;
  Draft draft;
  draft.message = fmt::format("{} modules are packed in {} bits, the config says {}",
                              with_commas(found.size()), s.bits, d.bits);
  draft.subject = "bits";
  draft.count = found.size();
  draft.where.push_back(at_json(q.file, q.pointer, q.block.value.find("bits")));
  add_modules(in, found, draft);
  draft.effects = effects_on(in, found);
  draft.fix = fmt::format("write {} for these modules", s.bits);
  emit(std::move(draft));
}

}  // namespace

extern const Rule kQNT008;
const Rule kQNT008{
    .code = "QNT008",
    .name = "bits-contradict-words",
    .severity = results::Severity::error,
    .repairable = true,
    .what = "The width in the config is the one the packed words have.",
    .why =
        "Loaders allocate parameters by the config: vLLM and SGLang stop on the shape, "
        "transformers replaces the parameter and fails, or is wrong, in the forward pass.",
    .bad = "\"bits\": 8 over 4-bit words",
    .good = "config and shapes agree",
    .fix = "write the stored value into the config",
    .sources = "loaders, section 1; formats, section 7",
    .run = run,
};

}  // namespace ckpt::rules
