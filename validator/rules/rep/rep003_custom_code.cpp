#include <fmt/format.h>

#include "validator/base/text.h"
#include "validator/rules/documents.h"

namespace ckpt::rules {
namespace rep003 {

void run(const RuleInput& in, const Emit& emit) {
  if (!in.config->supported) return;
  const json::Value map = config_root(in).find("auto_map");
  Draft draft;
  draft.count = 0;
  bool loaded = false;
  if (map.is(json::Kind::object) && map.size() != 0) {
    draft.message = "`auto_map` names code of the repo";
    draft.subject = "auto_map";
    draft.where.push_back(at_json("config.json", "/auto_map", map));
    draft.count = 1;
    loaded = true;
  }
  for (const repo::Entry& e : in.repo->entries()) {
    if (!e.name.ends_with(".py")) continue;
    loaded = loaded || e.name.starts_with("modeling_") || e.name.starts_with("configuration_");
    if (draft.count++ == 0) {
      draft.subject = shown(e.name);
      draft.message = fmt::format("the repo holds Python code, first `{}`", shown(e.name, 40));
    }
    if (draft.where.size() < 20) add_place(draft, at_file(e.name));
  }
  if (draft.count == 0) return;
  if (!loaded) draft.severity = results::Severity::info;
  draft.fix = "remove it: every loader has this architecture built in";
  emit(std::move(draft));
}

}  // namespace rep003

extern const Rule kREP003;
const Rule kREP003{
    .code = "REP003",
    .name = "custom-code",
    .severity = results::Severity::warning,
    .what =
        "A repo of a natively supported architecture holds no code that loaders would run: no "
        "`auto_map` in config.json, no modeling_*.py.",
    .why =
        "All three loaders have this family built in. `auto_map` makes transformers ask users "
        "to trust and run code of the repo (`--trust-remote-code`), for nothing. Other Python "
        "files are scripts that nobody loads: information.",
    .bad = "\"auto_map\": {\"AutoModelForCausalLM\": \"modeling_custom.Model\"}",
    .good = "no auto_map, no modeling_*.py",
    .fix = "remove `auto_map` and the code",
    .sources = "cards 000 to 003 (`--trust-remote-code`); loaders CFG015, section 6",
    .run = rep003::run,
};

}  // namespace ckpt::rules
