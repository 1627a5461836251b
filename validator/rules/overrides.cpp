// Which overrides name nothing, and what they were meant to name.

#include <algorithm>
#include <set>

#include "validator/loaders/pattern.h"
#include "validator/rules/places.h"

namespace ckpt::rules {
namespace {

constexpr std::string_view kTextPrefixes[] = {"model.language_model.layers.",
                                              "language_model.model.layers.",
                                              "language_model.layers.", "model.layers.", "layers."};

/// The key with its text prefix replaced by the one this class asks for, or empty.
std::string repaired(std::string_view key, const arch::Blueprint& blueprint) {
  for (const std::string_view p : kTextPrefixes) {
    if (!key.starts_with(p)) continue;
    return blueprint.text_prefix() + "layers." + std::string(key.substr(p.size()));
  }
  return {};
}

bool names_a_parent(std::string_view key, const arch::Blueprint& blueprint) {
  const std::string prefix = std::string(key) + ".";
  return std::ranges::any_of(blueprint.modules(), [&prefix](const arch::Module& m) {
    return std::string_view(m.name).starts_with(prefix);
  });
}

/// Fused engine spellings (`in_proj_ba`) that careful writers list beside the HF names.
bool names_a_fused_module(std::string_view key, const arch::Blueprint& blueprint) {
  struct Fused {
    std::string_view fused;
    std::string_view member;
  };

  constexpr Fused kFused[] = {{"qkv_proj", "q_proj"},
                              {"gate_up_proj", "gate_proj"},
                              {"in_proj_qkvz", "in_proj_qkv"},
                              {"in_proj_ba", "in_proj_b"}};
  for (const Fused& f : kFused) {
    if (!key.ends_with(f.fused)) continue;
    std::string member(key.substr(0, key.size() - f.fused.size()));
    member += f.member;
    if (blueprint.find(member) >= 0) return true;
  }
  return false;
}

}  // namespace

std::vector<DeadOverride> dead_overrides(const RuleInput& in) {
  std::vector<DeadOverride> out;
  if (in.stored == nullptr || !in.config->quant) return out;
  const auto& overrides = in.config->quant->overrides;
  std::vector<std::string> patterns;
  std::vector<std::size_t> place(overrides.size());  // of a pattern among them
  for (std::size_t i = 0; i < overrides.size(); ++i) {
    place[i] = patterns.size();
    if (loaders::looks_like_regex(overrides[i].key)) patterns.push_back(overrides[i].key);
  }
  const loaders::PatternSet set(patterns, loaders::Anchor::search);
  std::vector<bool> hit(patterns.size());
  for (const arch::Module& m : in.blueprint->modules()) {
    if (std::ranges::find(hit, false) == hit.end()) break;
    set.mark_matches(m.name, hit);
  }
  for (std::size_t i = 0; i < overrides.size(); ++i) {
    const std::string& key = overrides[i].key;
    bool alive = false;
    if (loaders::looks_like_regex(key)) {
      // One that cannot be evaluated has a rule of its own; the draft head may be absent.
      alive = hit[place[i]] || set.problem(place[i]) != loaders::PatternProblem::none ||
              key.find("mtp") != std::string::npos;
    } else {
      // `mtp.*` names the draft head, which a repo may lack; short names are suffixes for engines.
      alive = key.starts_with("mtp.") || in.blueprint->find(key) >= 0 ||
              (key.find("layers.") == std::string::npos) ||
              names_a_fused_module(key, *in.blueprint) || names_a_parent(key, *in.blueprint);
    }
    if (alive) continue;
    const std::string better = repaired(key, *in.blueprint);
    out.push_back({i, !better.empty() && in.blueprint->find(better) >= 0 ? better : ""});
  }
  return out;
}

std::vector<std::uint32_t> undeclared_vision(const RuleInput& in) {
  std::vector<std::uint32_t> out;
  if (!quantized_by(in, config::QuantMethod::auto_round)) return out;
  const config::QuantConfig& q = *in.config->quant;
  const bool absent = !q.blocks_given || (!q.blocks_is_list && q.blocks_text.empty());
  if (!absent) return out;
  for (std::uint32_t i = 0; i < in.blueprint->modules().size(); ++i) {
    const arch::Module& m = in.blueprint->modules()[i];
    if (m.cls != arch::ModuleClass::vision || !m.linear) continue;
    const loaders::Decision* d = in.intent->decision(i);
    if (d != nullptr && d->quantized && in.stored->modules[i].format == quant::Format::plain) {
      out.push_back(i);
    }
  }
  return out;
}

}  // namespace ckpt::rules
