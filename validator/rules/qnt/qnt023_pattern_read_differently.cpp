#include <fmt/format.h>

#include "validator/base/text.h"
#include "validator/rules/edits.h"
#include "validator/rules/shared_runs.h"

namespace ckpt::rules {
namespace qnt023 {

constexpr std::size_t kMostCompared = 500;

/// Modules that the predicted loaders build at different widths.
std::vector<std::uint32_t> disputed(const RuleInput& in) {
  std::vector<std::uint32_t> out;
  for (std::uint32_t i = 0; i < in.blueprint->modules().size() && out.size() < kMostCompared; ++i) {
    std::int64_t bits = 0;
    for (const loaders::LoadPlan& plan : in.plans) {
      const loaders::Decision* d =
          plan.predicted && plan.refused.empty() ? plan.decision(i) : nullptr;
      if (d == nullptr || d->raises() || d->built_without_config) continue;
      if (bits != 0 && d->bits != bits) {
        out.push_back(i);
        break;
      }
      bits = d->bits;
    }
  }
  return out;
}

/// The pattern that, matched in whole, means what this one means when it is searched for.
std::string whole_name(std::string text) {
  const bool start = text.starts_with('^');
  const bool end = text.ends_with('$') && !text.ends_with("\\$");
  if (start) text.erase(0, 1);
  if (end) text.pop_back();
  if (text.find('|') != std::string::npos) text = "(?:" + text + ")";
  return (start || text.starts_with(".*") ? "" : ".*") + text +
         (end || text.ends_with(".*") ? "" : ".*");
}

void run(const RuleInput& in, const Emit& emit) {
  if (!quantized_by(in, config::QuantMethod::auto_round)) return;
  const config::QuantConfig& q = *in.config->quant;
  std::vector<std::size_t> keys;
  std::vector<std::string> patterns;
  for (std::size_t i = 0; i < q.overrides.size(); ++i) {
    if (!loaders::looks_like_regex(q.overrides[i].key)) continue;
    if (in.blueprint->find(q.overrides[i].key) >= 0) continue;  // dots alone make no pattern
    keys.push_back(i);
    patterns.push_back(q.overrides[i].key);
  }
  if (keys.empty()) return;
  const std::vector<std::uint32_t> modules = disputed(in);
  if (modules.empty()) return;
  const loaders::PatternSet anywhere(patterns, loaders::Anchor::search);
  const loaders::PatternSet whole(patterns, loaders::Anchor::full);
  Draft draft;
  std::vector<std::uint32_t> found;
  std::vector<bool> told(keys.size());
  for (const std::uint32_t m : modules) {
    std::vector<bool> a(keys.size());
    std::vector<bool> b(keys.size());
    anywhere.mark_matches(in.blueprint->modules()[m].name, a);
    whole.mark_matches(in.blueprint->modules()[m].name, b);
    if (a == b) continue;
    found.push_back(m);
    for (std::size_t i = 0; i < keys.size(); ++i) {
      if (a[i] == b[i] || told[i]) continue;
      told[i] = true;
      if (draft.subject.empty()) draft.subject = shown(patterns[i]);
      const config::Override& o = q.overrides[keys[i]];
      draft.edits.push_back(replace_value(q.file, o.member.key, json::quoted(whole_name(o.key))));
      add_place(draft,
                at_json(q.file, q.pointer + "/extra_config", q.overrides[keys[i]].member.key));
    }
  }
  if (found.empty()) return;
  draft.count = found.size();
  draft.message = fmt::format("loaders read `{}` differently, for {} modules",
                              shown(draft.subject, 40), found.size());
  add_modules(in, found, draft);
  draft.effects = effects_on(in, found);
  draft.fix = "write the exact names of the modules, or begin the pattern with `.*`";
  emit(std::move(draft));
}

}  // namespace qnt023

extern const Rule kQNT023;
const Rule kQNT023{
    .code = "QNT023",
    .name = "pattern-read-differently",
    .severity = results::Severity::warning,
    .repairable = true,
    .what = "Every pattern among the overrides selects the same modules in all loaders.",
    .why =
        "The same key is searched for anywhere in the name (vLLM, transformers), must match the"
        " whole name (SGLang) or is no pattern at all (vLLM of 2025): a module is 16-bit in one"
        " loader and 4-bit in the next. Patterns on which all agree are fine, however they are "
        "spelt.",
    .bad = "\"layers\\.0\\.linear_attn\\.out_proj\": {\"bits\": 16}",
    .good = "\".*layers\\.0\\.linear_attn\\.out_proj\": {\"bits\": 16}, or the exact name",
    .fix = "write exact names, or begin the pattern with .*",
    .sources = "loaders 2.3, 2.10, 3.1, 4 (ran), QC009",
    .run = qnt023::run,
};

}  // namespace ckpt::rules
