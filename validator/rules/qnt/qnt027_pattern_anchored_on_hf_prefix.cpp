#include <fmt/format.h>

#include "validator/base/text.h"
#include "validator/rules/edits.h"
#include "validator/rules/shared_runs.h"

namespace ckpt::rules {
namespace qnt027 {

constexpr std::size_t kMostModules = 500;
constexpr std::size_t kMostPlaces = 20;

/// Patterns that begin with the name of the HF model.
struct Anchored {
  std::vector<std::string> texts;
  std::vector<const config::Pattern*> places;
};

/// Takes `word` and the dot after it, however that is spelt, from the front.
bool take(std::string_view& text, std::string_view word) {
  if (!text.starts_with(word)) return false;
  std::string_view rest = text.substr(word.size());
  for (const std::string_view dot : {"\\.", "[.]", "."}) {
    if (!rest.starts_with(dot)) continue;
    rest.remove_prefix(dot.size());
    // `.` with a quantifier stands for more than the dot.
    if (dot == "." && !rest.empty() && std::string_view("*+?{").find(rest[0]) != rest.npos) {
      return false;
    }
    text = rest;
    return true;
  }
  return false;
}

/// The same pattern without the beginning that only HF names have.
std::string anywhere(std::string_view text) {
  text.remove_prefix(text.starts_with("re:^") ? 4 : 3);
  if (!take(text, "model")) return {};
  (void)take(text, "language_model");
  return "re:.*" + std::string(text);
}

void note(Anchored& patterns, const config::Pattern& p) {
  std::string_view text = p.text;
  if (!text.starts_with("re:")) return;
  text.remove_prefix(text.starts_with("re:^") ? 4 : 3);
  if (!text.starts_with("model")) return;
  patterns.texts.push_back(p.text.substr(3));
  patterns.places.push_back(&p);
}

void run(const RuleInput& in, const Emit& emit) {
  if (!quantized_by(in, config::QuantMethod::compressed_tensors) ||
      in.config->model_class != config::ModelClass::conditional_generation) {
    return;
  }
  const config::QuantConfig& q = *in.config->quant;
  std::vector<std::uint32_t> wrong;
  for (const loaders::LoadPlan& plan : in.plans) {
    if (plan.loader != loaders::Loader::vllm || !plan.predicted || !plan.refused.empty()) continue;
    for (std::uint32_t i = 0; i < in.blueprint->modules().size(); ++i) {
      const loaders::Decision* d = plan.decision(i);
      const loaders::Decision* meant = in.intent->decision(i);
      if (d != nullptr && meant != nullptr && !d->raises() && !d->built_without_config &&
          d->quantized != meant->quantized)
        wrong.push_back(i);
    }
  }
  Anchored patterns;
  for (const config::Pattern& p : q.ignore) note(patterns, p);
  for (const config::ConfigGroup& g : q.groups) {
    for (const config::Pattern& p : g.targets) note(patterns, p);
  }
  if (patterns.texts.empty()) return;
  const loaders::PatternSet set(patterns.texts, loaders::Anchor::start);
  std::vector<bool> hits(patterns.texts.size());
  std::vector<std::uint32_t> found;
  for (std::size_t i = 0; i < wrong.size() && i < kMostModules; ++i) {
    if (set.first_match(in.blueprint->modules()[wrong[i]].name) < 0) continue;
    set.mark_matches(in.blueprint->modules()[wrong[i]].name, hits);
    found.push_back(wrong[i]);
  }
  Draft draft;
  draft.count = 0;
  for (std::size_t i = 0; i < hits.size(); ++i) {
    // Those that change something come alone; without any, the rest is information.
    if (hits[i] == found.empty()) continue;
    if (draft.count++ == 0) {
      draft.subject = shown(patterns.places[i]->text);
      draft.message = fmt::format("`{}` never matches in vLLM, which renames the modules",
                                  shown(draft.subject, 40));
    }
    const config::Pattern& p = *patterns.places[i];
    if (const std::string text = anywhere(p.text); !text.empty()) {
      draft.edits.push_back(replace_value(q.file, p.place, json::quoted(text)));
    }
    if (draft.where.size() < kMostPlaces) {
      add_place(draft, at_json(q.file, q.pointer, patterns.places[i]->place));
    }
  }
  if (draft.count == 0) return;
  draft.effects = effects_on(in, found);
  if (found.empty()) draft.severity = results::Severity::info;
  draft.fix = "begin the pattern with `.*`";
  emit(std::move(draft));
}

}  // namespace qnt027

extern const Rule kQNT027;
const Rule kQNT027{
    .code = "QNT027",
    .name = "pattern-anchored-on-hf-prefix",
    .severity = results::Severity::error,
    .repairable = true,
    .what =
        "Patterns of a compressed-tensors config match under the names that vLLM gives a "
        "vision-language model.",
    .why =
        "compressed-tensors matches from the start of the name, and vLLM renames "
        "`model.language_model.` to `language_model.model.` and `model.visual.` to `visual.` "
        "without rewriting patterns: `re:model\\.visual.*` never matches there. A target then "
        "quantizes nothing and loading stops; an ignore entry matters only when a target would "
        "take the module.",
    .bad = "\"re:model[.]language_model.*experts.*\" among the targets",
    .good = "\"re:.*experts.*\"",
    .fix = "begin the pattern with .*",
    .sources = "loaders 2.5 (ran), QC020",
    .run = qnt027::run,
};

}  // namespace ckpt::rules
