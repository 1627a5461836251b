#include "validator/rules/shared_runs.h"

#include <fmt/format.h>

#include <map>

#include "validator/base/text.h"
#include "validator/rules/edits.h"

namespace ckpt::rules {

std::vector<std::uint32_t> packed_modules(const RuleInput& in) {
  std::vector<std::uint32_t> out;
  for (std::uint32_t i = 0; i < in.stored->modules.size(); ++i) {
    if (quant::is_quantized(in.stored->modules[i].format)) out.push_back(i);
  }
  return out;
}

const loaders::LoadPlan* plan_of(const RuleInput& in, loaders::Loader loader) {
  for (const loaders::LoadPlan& p : in.plans) {
    if (p.loader == loader && p.predicted && p.refused.empty()) return &p;
  }
  return nullptr;
}

void report_quantized_class(const RuleInput& in, const Emit& emit, arch::ModuleClass cls,
                            bool with_effects, const std::string& fix) {
  if (in.stored == nullptr) return;
  std::vector<std::uint32_t> found;
  for (std::uint32_t i = 0; i < in.stored->modules.size(); ++i) {
    if (in.blueprint->modules()[i].cls == cls &&
        quant::is_quantized(in.stored->modules[i].format)) {
      found.push_back(i);
    }
  }
  if (found.empty()) return;
  Draft draft;
  draft.message = fmt::format("{} stored quantized", counted(found.size(), cls));
  draft.subject = in.blueprint->modules()[found[0]].name;
  draft.count = found.size();
  add_modules(in, found, draft);
  if (with_effects) draft.effects = effects_on(in, found);
  draft.fix = fix;
  emit(std::move(draft));
}

void report_spelling(const RuleInput& in, const Emit& emit, arch::Spelling spelling,
                     bool packed_only, const std::string& fix) {
  if (in.stored == nullptr) return;
  std::vector<std::uint32_t> found;
  for (std::uint32_t i = 0; i < in.stored->modules.size(); ++i) {
    const quant::Stored& s = in.stored->modules[i];
    // No loader builds the draft head for the main model.
    if (s.spelling != spelling || in.blueprint->modules()[i].cls == arch::ModuleClass::mtp)
      continue;
    if (!packed_only || quant::is_quantized(s.format)) found.push_back(i);
  }
  if (found.empty()) return;
  Draft draft;
  draft.message = fmt::format("{} expert linears are spelt `{}`", with_commas(found.size()),
                              arch::spelling_pattern(spelling));
  draft.subject = "experts";
  draft.count = found.size();
  add_modules(in, found, draft);
  draft.effects = effects_on(in, found);
  draft.fix = fix;
  emit(std::move(draft));
}

void report_patterns(const RuleInput& in, const Emit& emit, loaders::PatternProblem problem,
                     const std::string& words, const std::string& fix) {
  if (!in.config->quant) return;
  const config::QuantConfig& q = *in.config->quant;
  std::vector<std::string> texts;
  std::vector<results::Location> places;
  for (const config::Override& o : q.overrides) {
    if (!loaders::looks_like_regex(o.key)) continue;
    texts.push_back(o.key);
    places.push_back(at_json(q.file, q.pointer + "/extra_config", o.member.key));
  }
  const auto add = [&](const config::Pattern& p, std::string_view where) {
    if (!p.text.starts_with("re:")) return;
    texts.push_back(p.text.substr(3));
    places.push_back(at_json(q.file, q.pointer + std::string(where), p.place));
  };
  for (const config::Pattern& p : q.ignore) add(p, "/ignore");
  for (const config::ConfigGroup& g : q.groups) {
    for (const config::Pattern& p : g.targets) add(p, "/config_groups");
  }
  const loaders::PatternSet set(texts, loaders::Anchor::search);
  for (std::size_t i = 0; i < texts.size(); ++i) {
    if (set.problem(i) != problem) continue;
    Draft draft;
    draft.message = fmt::format("the pattern `{}` {}", shown(texts[i], 40), words);
    draft.subject = shown(texts[i]);
    draft.where.push_back(places[i]);
    draft.fix = fix;
    emit(std::move(draft));
  }
}

void report_mismatch(const RuleInput& in, const Emit& emit, const Mismatch& mismatch) {
  if (in.stored == nullptr || !in.config->quant || !in.intent->predicted) return;
  std::vector<std::uint32_t> found;
  for (std::uint32_t i = 0; i < in.stored->modules.size(); ++i) {
    const quant::Stored& s = in.stored->modules[i];
    const loaders::Decision* d = in.intent->decision(i);
    if (d == nullptr || !d->quantized || !quant::is_quantized(s.format)) continue;
    if (mismatch.differs(s, *d, in.blueprint->modules()[i].shape)) found.push_back(i);
  }
  if (found.empty()) return;
  const quant::Stored& first = in.stored->modules[found[0]];
  const config::QuantConfig& q = *in.config->quant;
  Draft draft;
  draft.message = mismatch.message(found.size(), first, *in.intent->decision(found[0]));
  draft.subject = mismatch.field;
  draft.count = found.size();
  draft.where.push_back(at_json(q.file, q.pointer, q.block.value.find(mismatch.field)));
  add_modules(in, found, draft);
  draft.effects = effects_on(in, found);
  const std::int64_t stored = mismatch.stored_value(first);
  draft.fix = fmt::format("write {} for these modules", stored);
  // One global number is a repair only when it is wrong for all of one kind.
  const json::Value field = q.block.value.find(mismatch.field);
  const auto alike = [&](std::uint32_t m) {
    return mismatch.stored_value(in.stored->modules[m]) == stored;
  };
  if (field.integer() && std::ranges::all_of(found, alike)) {
    draft.edits.push_back(replace_value(q.file, field, std::to_string(stored)));
  }
  emit(std::move(draft));
}

void report_sizes(const RuleInput& in, const Emit& emit, const OddSizes& odd) {
  if (odd.modules.empty()) return;
  const arch::Module& first = in.blueprint->modules()[odd.modules[0]];
  Draft draft;
  draft.message = fmt::format("{} {}, first [{}]", with_commas(odd.modules.size()), odd.words,
                              fmt::join(first.shape, ", "));
  draft.subject = first.name;
  draft.count = odd.modules.size();
  add_modules(in, odd.modules, draft);
  draft.effects = odd.effects;
  draft.fix = odd.fix;
  emit(std::move(draft));
}

void report_raises(const RuleInput& in, const Emit& emit, bool kernel_limits,
                   const std::string& fix) {
  for (const loaders::LoadPlan& plan : in.plans) {
    if (!plan.predicted) continue;
    const std::string loader(loaders::loader_name(plan.loader));
    std::map<std::string, std::vector<const loaders::PlannedModule*>> by_error;
    for (const loaders::PlannedModule& p : plan.modules) {
      const bool kernel = p.decision.error == "NotImplementedError";
      if (p.decision.raises() && kernel == kernel_limits) by_error[p.decision.error].push_back(&p);
    }
    for (const auto& [error, modules] : by_error) {
      Draft draft;
      draft.message = kernel_limits
                          ? fmt::format("{} has no kernel for the scheme of {} modules ({})",
                                        loader, modules.size(), error)
                          : fmt::format("{} raises {} while building {} modules", loader, error,
                                        modules.size());
      draft.subject = modules[0]->name;
      draft.count = modules.size();
      for (const loaders::PlannedModule* p : modules) {
        results::Location w = at_module(in, p->members[0]);
        w.module = p->name;
        add_place(draft, std::move(w));
      }
      draft.effects.push_back(
          {loader, results::LoaderState::does_not_load, modules[0]->decision.error_text});
      draft.fix = fix;
      emit(std::move(draft));
    }
  }
}

}  // namespace ckpt::rules
