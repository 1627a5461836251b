#include <fmt/format.h>

#include "validator/base/text.h"
#include "validator/rules/shared_runs.h"

namespace ckpt::rules {
namespace qnt024 {

/// Patterns of the config that exclude or retype modules, with their places.
struct Patterns {
  std::vector<std::string> texts;
  std::vector<results::Location> places;
};

Patterns patterns_of(const config::QuantConfig& q) {
  Patterns p;
  for (const config::Override& o : q.overrides) {
    if (!loaders::looks_like_regex(o.key)) continue;
    p.texts.push_back(o.key);
    p.places.push_back(at_json(q.file, q.pointer + "/extra_config", o.member.key));
  }
  for (const config::Pattern& i : q.ignore) {
    if (!i.text.starts_with("re:")) continue;
    p.texts.push_back("^(?:" + i.text.substr(3) + ")");
    p.places.push_back(at_json(q.file, q.pointer + "/ignore", i.place));
  }
  return p;
}

constexpr std::uint64_t kMostTold = 20;

/// One that takes whole experts, up and down included, means what it says.
bool takes_up(const RuleInput& in, const std::string& pattern) {
  const loaders::PatternSet one({pattern}, loaders::Anchor::search);
  for (const arch::Module& m : in.blueprint->modules()) {
    if (m.layer > 3) break;
    if (m.expert <= 0 && m.name.ends_with("up_proj") && one.first_match(m.name) >= 0) return true;
  }
  return false;
}

void run(const RuleInput& in, const Emit& emit) {
  if (in.stored == nullptr || !in.config->quant) return;
  Patterns p = patterns_of(*in.config->quant);
  if (p.texts.empty()) return;
  const loaders::PatternSet set(p.texts, loaders::Anchor::search);
  std::vector<bool> gates(p.texts.size());
  std::vector<bool> projections(p.texts.size());
  for (const arch::Module& m : in.blueprint->modules()) {
    // One expert stands for all: their names differ in a number only.
    if (m.expert > 0 || m.cls == arch::ModuleClass::mtp) continue;
    if (m.cls == arch::ModuleClass::router || m.cls == arch::ModuleClass::shared_expert_gate) {
      set.mark_matches(m.name, gates);
    } else if (m.name.ends_with("gate_proj")) {
      set.mark_matches(m.name, projections);
    }
  }
  Draft draft;
  draft.count = 0;
  for (std::size_t i = 0; i < p.texts.size() && draft.count < kMostTold; ++i) {
    if (!gates[i] || !projections[i] || takes_up(in, p.texts[i])) continue;
    if (draft.count++ == 0) {
      draft.message = fmt::format("the pattern `{}` takes gates and gate projections alike",
                                  shown(p.texts[i], 40));
      draft.subject = shown(p.texts[i]);
    }
    add_place(draft, std::move(p.places[i]));
  }
  if (draft.count == 0) return;
  draft.fix = "end the pattern where the name ends: `.*mlp\\.gate$`";
  emit(std::move(draft));
}

}  // namespace qnt024

extern const Rule kQNT024;
const Rule kQNT024{
    .code = "QNT024",
    .name = "pattern-hits-other-classes",
    .severity = results::Severity::warning,
    .what = "No pattern that means a router or gate also takes the gate projections of experts.",
    .why =
        "`.*gate.*` matches `mlp.gate`, `shared_expert_gate` and every `gate_proj`, but no "
        "`up_proj`: engines that fuse gate and up raise \"requires consistent quant config\", "
        "or the projection is built at 16 bits.",
    .bad = "\".*gate.*\": {\"bits\": 16}",
    .good = "\".*mlp\\.gate$\": {\"bits\": 16}",
    .fix = "end the pattern where the name ends",
    .sources = "loaders 2.3 (ran), QC011",
    .run = qnt024::run,
};

}  // namespace ckpt::rules
