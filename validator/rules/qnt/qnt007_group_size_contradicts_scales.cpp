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
    const Shape& shape = in.blueprint->modules()[i].shape;
    const bool differs = s.groups != 0 && shape.size() == 2 &&
                         s.groups != loaders::group_count(d->group_size, shape[1]);
    if (differs) found.push_back(i);
  }
  if (found.empty()) return;
  const quant::Stored& s = in.stored->modules[found[0]];
  const loaders::Decision& d = *in.intent->decision(found[0]);
  const config::QuantConfig& q = *in.config->quant;
  Draft draft;
  draft.message = fmt::format("{} modules have groups of {}, the config says {}",
                              with_commas(found.size()), s.group_size, d.group_size);
  draft.subject = "group_size";
  draft.count = found.size();
  draft.where.push_back(at_json(q.file, q.pointer, q.block.value.find("group_size")));
  add_modules(in, found, draft);
  draft.effects = effects_on(in, found);
  draft.fix = fmt::format("write {} for these modules", s.group_size);
  emit(std::move(draft));
}

}  // namespace

extern const Rule kQNT007;
const Rule kQNT007{
    .code = "QNT007",
    .name = "group-size-contradicts-scales",
    .severity = results::Severity::error,
    .repairable = true,
    .what =
        "The group size of the config is the one the stored scales have: ceil(K / "
        "group_size) groups.",
    .why =
        "Loaders allocate parameters by the config: vLLM and SGLang stop on the shape, "
        "transformers replaces the parameter and fails, or is wrong, in the forward pass.",
    .bad = "\"group_size\": 64 with scales of 128-wide groups",
    .good = "config and shapes agree",
    .fix = "write the stored value into the config",
    .sources = "loaders, section 1; formats, section 7",
    .run = run,
};

}  // namespace ckpt::rules
