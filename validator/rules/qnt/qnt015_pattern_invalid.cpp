#include "validator/rules/places.h"

#include <fmt/format.h>

#include "validator/base/text.h"
#include "validator/loaders/pattern.h"

namespace ckpt::rules {
namespace {

void run(const RuleInput& in, const Emit& emit) {
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
    if (set.problem(i) != loaders::PatternProblem::invalid) continue;
    Draft draft;
    draft.message = fmt::format("the pattern `{}` is no regular expression", shown(texts[i], 40));
    draft.subject = shown(texts[i]);
    draft.where.push_back(places[i]);
    draft.fix = "correct the pattern";
    emit(std::move(draft));
  }
}

}  // namespace

extern const Rule kQNT015;
const Rule kQNT015{
    .code = "QNT015",
    .name = "pattern-invalid",
    .severity = results::Severity::error,
    .what = "Every pattern in the quantization config is a valid regular expression.",
    .why =
        "Loaders skip an invalid pattern without a word, so the module it should exclude is"
        " quantized, or the reverse.",
    .bad = "\".*[o_proj\"",
    .good = "\".*o_proj\"",
    .fix = "correct the pattern",
    .sources = "loaders 2.3; hostile-inputs 4.7",
    .run = run,
};

}  // namespace ckpt::rules
