#include <fmt/format.h>

#include <array>

#include "validator/base/text.h"
#include "validator/rules/shared_runs.h"

namespace ckpt::rules {
namespace qnt028 {

struct Fused {
  std::string_view name;
  std::string_view members[3];
};

constexpr std::array kFused{Fused{"in_proj_qkvz", {"in_proj_qkv", "in_proj_z", ""}},
                            Fused{"in_proj_ba", {"in_proj_b", "in_proj_a", ""}},
                            Fused{"qkv_proj", {"q_proj", "k_proj", "v_proj"}}};

/// True when a member of the fused module is stored plain and the config would quantize it.
bool member_left_out(const RuleInput& in, const Fused& fused) {
  if (!in.intent->predicted) return false;
  for (std::uint32_t i = 0; i < in.stored->modules.size(); ++i) {
    const std::string& name = in.blueprint->modules()[i].name;
    for (const std::string_view member : fused.members) {
      if (member.empty() || !name.ends_with(member)) continue;
      const loaders::Decision* d = in.intent->decision(i);
      if (d != nullptr && d->quantized && in.stored->modules[i].format == quant::Format::plain)
        return true;
    }
  }
  return false;
}

void run(const RuleInput& in, const Emit& emit) {
  if (in.stored == nullptr || !in.config->quant) return;
  const config::QuantConfig& q = *in.config->quant;
  for (const Fused& fused : kFused) {
    Draft draft;
    draft.count = 0;
    const auto look = [&](std::string_view text, const json::Value& place, const char* list) {
      if (text.find(fused.name) == std::string_view::npos) return;
      if (draft.count++ == 0) {
        draft.subject = shown(text);
        draft.message = fmt::format("`{}` names an engine's fused module", shown(text, 50));
      }
      if (draft.where.size() < 20) add_place(draft, at_json(q.file, q.pointer + "/" + list, place));
    };
    for (const config::Override& o : q.overrides) look(o.key, o.member.key, "extra_config");
    for (const config::Pattern& p : q.ignore) look(p.text, p.place, "ignore");
    for (const config::Pattern& p : q.modules_to_not_convert)
      look(p.text, p.place, "modules_to_not_convert");
    for (const config::ConfigGroup& g : q.groups) {
      for (const config::Pattern& p : g.targets) look(p.text, p.place, "config_groups");
    }
    if (draft.count == 0) continue;
    if (member_left_out(in, fused)) {
      draft.effects.push_back({"transformers", results::LoaderState::wrong_weights,
                               "matches nothing: the members are built quantized"});
    } else {
      draft.severity = results::Severity::info;
    }
    draft.fix = fmt::format("name the members: `{}`, `{}`", fused.members[0], fused.members[1]);
    emit(std::move(draft));
  }
}

}  // namespace qnt028

extern const Rule kQNT028;
const Rule kQNT028{
    .code = "QNT028",
    .name = "engine-names-in-config",
    .severity = results::Severity::warning,
    .what =
        "The quantization config names modules as the checkpoint does, not by an engine's fused"
        " names (`in_proj_qkvz`, `in_proj_ba`, `qkv_proj`, `gate_up_proj`).",
    .why =
        "Fused names exist in vLLM and SGLang only. transformers and compressed-tensors match "
        "them against nothing, so an exclusion written that way excludes nothing there. Beside "
        "entries for the members they are harmless: information.",
    .bad = "\"re:.*linear_attn[.]in_proj_qkvz\" in `ignore`, and nothing for in_proj_qkv",
    .good = "\"re:.*linear_attn[.]in_proj_(qkv|z)\"",
    .fix = "name the members",
    .sources = "card 004; loaders 2.3, 2.5 (ran), QC021",
    .run = qnt028::run,
};

}  // namespace ckpt::rules
