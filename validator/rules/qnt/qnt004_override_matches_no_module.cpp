#include "validator/rules/edits.h"
#include "validator/rules/places.h"

#include <fmt/format.h>

#include "validator/base/text.h"

namespace ckpt::rules {
namespace qnt004 {

std::vector<std::uint32_t> meant(const RuleInput& in, const std::vector<DeadOverride>& dead) {
  std::vector<std::uint32_t> out;
  for (const DeadOverride& d : dead) {
    const std::int32_t m = d.repaired.empty() ? -1 : in.blueprint->find(d.repaired);
    if (m >= 0) out.push_back(static_cast<std::uint32_t>(m));
  }
  return out;
}

void run(const RuleInput& in, const Emit& emit) {
  const std::vector<DeadOverride> dead = dead_overrides(in);
  if (dead.empty()) return;
  const config::QuantConfig& q = *in.config->quant;
  Draft draft;
  draft.message =
      fmt::format("{} of {} `extra_config` keys name no module", dead.size(), q.overrides.size());
  draft.subject = "extra_config";
  draft.count = dead.size();
  for (const DeadOverride& d : dead) {
    const config::Override& o = q.overrides[d.index];
    results::Location w = at_json(
        q.file, json::pointer_append(q.pointer + "/extra_config", shown(o.key)), o.member.key);
    // Only the wrong prefix is underlined, not the whole key.
    const std::size_t layers = o.key.find("layers");
    if (!d.repaired.empty() && layers != std::string::npos && w.end_line == w.line) {
      w.end_column = w.column + 1 + static_cast<std::uint32_t>(layers) + 6;
    }
    if (draft.where.empty()) {
      w.note =
          fmt::format("modules of this class begin with `{}layers`", in.blueprint->text_prefix());
    }
    add_place(draft, std::move(w));
    if (!d.repaired.empty()) {
      draft.edits.push_back(replace_value(q.file, o.member.key, json::quoted(d.repaired)));
    }
  }
  const std::vector<std::uint32_t> modules = meant(in, dead);
  draft.effects = effects_on(in, modules);
  if (draft.effects.empty() && !modules.empty()) {
    draft.effects.push_back({"vllm before #48589, sglang", results::LoaderState::does_not_load,
                             "lose the entries and build these modules quantized"});
  }
  draft.fix = !draft.edits.empty() ? fmt::format("rename the prefix in {} keys", modules.size())
                                   : "remove the keys, or write the names the modules have";
  emit(std::move(draft));
}

}  // namespace qnt004

extern const Rule kQNT004;
const Rule kQNT004{
    .code = "QNT004",
    .name = "override-matches-no-module",
    .severity = results::Severity::error,
    .repairable = true,
    .what = "Each key of `extra_config` names a module, or is a pattern that matches one.",
    .why =
        "An override that names nothing changes nothing, and the loader keeps silent. Most "
        "often the prefix is that of the other model class. vLLM since #48589 and "
        "transformers forgive a wrong prefix; older vLLM and SGLang lose the entry and "
        "build the module 4-bit.",
    .bad =
        "\"model.layers.0.mlp.shared_expert_gate\" in a repo with "
        "`model.language_model.layers`",
    .good = "\"model.language_model.layers.0.mlp.shared_expert_gate\"",
    .fix = "rename the prefix of the keys",
    .sources = "card 002, erratum 3; loaders 2.3, 2.10, 4 (ran)",
    .run = qnt004::run,
};

}  // namespace ckpt::rules
