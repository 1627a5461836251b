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
    if (set.problem(i) != loaders::PatternProblem::not_evaluated) continue;
    Draft draft;
    draft.message = fmt::format("the pattern `{}` cannot be evaluated here", shown(texts[i], 40));
    draft.subject = shown(texts[i]);
    draft.where.push_back(places[i]);
    draft.fix = "write plain names instead";
    emit(std::move(draft));
  }
}

}  // namespace

extern const Rule kQNT016;
const Rule kQNT016{
    .code = "QNT016",
    .name = "pattern-not-evaluated",
    .severity = results::Severity::warning,
    .what = "Every pattern can be evaluated in linear time.",
    .why =
        "Look-around, back references or a huge automaton: what the loader will do with it "
        "cannot be predicted here, and it may take very long there.",
    .bad = "\"(?!x).*\"",
    .good = "\".*o_proj\"",
    .fix = "write plain names instead",
    .sources = "loaders 2.3; hostile-inputs 4.7",
    .run = run,
};

}  // namespace ckpt::rules
