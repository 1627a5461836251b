#include "validator/rules/edits.h"
#include "validator/rules/places.h"

#include <fmt/format.h>

namespace ckpt::rules {
namespace qnt018 {

void run(const RuleInput& in, const Emit& emit) {
  if (!quantized_by(in, config::QuantMethod::auto_round)) return;
  const config::QuantConfig& q = *in.config->quant;
  std::vector<std::uint32_t> modules;
  Draft draft;
  for (const config::Override& o : q.overrides) {
    const std::int32_t m = o.bits ? -1 : in.blueprint->find(o.key);
    if (m < 0 || !quant::is_quantized(in.stored->modules[static_cast<std::size_t>(m)].format))
      continue;
    modules.push_back(static_cast<std::uint32_t>(m));
    add_place(draft, at_json(q.file, q.pointer + "/extra_config", o.member.key));
    draft.edits.push_back(
        add_members(q.file, o.member.value, {{"bits", std::to_string(q.bits.value_or(4))}}));
  }
  if (modules.empty()) return;
  draft.message =
      fmt::format("{} `extra_config` entries of quantized modules have no `bits`", modules.size());
  draft.subject = "extra_config";
  draft.count = modules.size();
  draft.effects = effects_on(in, modules);
  draft.fix = fmt::format("write \"bits\": {} into the entries", q.bits.value_or(4));
  emit(std::move(draft));
}

}  // namespace qnt018

extern const Rule kQNT018;
const Rule kQNT018{
    .code = "QNT018",
    .name = "override-without-bits",
    .severity = results::Severity::error,
    .repairable = true,
    .what = "No exact override of a quantized module leaves out `bits`.",
    .why =
        "vLLM 0.33 reads an exact entry without `bits` as 16 bits and then finds no "
        "parameter for the packed tensors; transformers and SGLang keep the global width. "
        "auto-round writes such entries for layers that differ only in group size.",
    .bad = "\"model.layers.3.self_attn.o_proj\": {\"group_size\": 32}",
    .good = "\"model.layers.3.self_attn.o_proj\": {\"bits\": 4, \"group_size\": 32}",
    .fix = "write `bits` into the entry",
    .sources = "loaders 2.3 (ran)",
    .run = qnt018::run,
};

}  // namespace ckpt::rules
