#include <fmt/format.h>

#include "validator/base/text.h"
#include "validator/rules/shared_runs.h"

namespace ckpt::rules {
namespace {

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
  const auto judge = [&](const config::Pattern& p, const char* list) {
    std::string_view text = p.text;
    if (!text.starts_with("re:")) return;
    text.remove_prefix(text.starts_with("re:^") ? 4 : 3);
    if (!text.starts_with("model")) return;
    const loaders::PatternSet set({p.text.substr(3)}, loaders::Anchor::start);
    std::vector<std::uint32_t> found;
    for (const std::uint32_t m : wrong) {
      if (set.first_match(in.blueprint->modules()[m].name) >= 0) found.push_back(m);
    }
    Draft draft;
    draft.message =
        fmt::format("`{}` never matches in vLLM, which renames the modules", shown(p.text, 40));
    draft.subject = shown(p.text);
    draft.where.push_back(at_json(q.file, q.pointer + "/" + list, p.place));
    draft.count = std::max<std::uint64_t>(found.size(), 1);
    draft.effects = effects_on(in, found);
    if (found.empty()) draft.severity = results::Severity::info;
    draft.fix = "begin the pattern with `.*`";
    emit(std::move(draft));
  };
  for (const config::Pattern& p : q.ignore) judge(p, "ignore");
  for (const config::ConfigGroup& g : q.groups) {
    for (const config::Pattern& p : g.targets) judge(p, "config_groups");
  }
}

}  // namespace

extern const Rule kQNT027;
const Rule kQNT027{
    .code = "QNT027",
    .name = "pattern-anchored-on-hf-prefix",
    .severity = results::Severity::error,
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
    .run = run,
};

}  // namespace ckpt::rules
