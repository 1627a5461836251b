#include <fmt/format.h>

#include "validator/rules/documents.h"

namespace ckpt::rules {
namespace tok009 {

void run(const RuleInput& in, const Emit& emit) {
  if (!in.generation_config.document) return;
  const json::Value root = in.generation_config.document->root();
  if (root.find("do_sample").boolean().value_or(false)) return;
  for (const char* name : {"temperature", "top_p", "top_k"}) {
    const json::Value value = root.find(name);
    if (!value.is(json::Kind::number) || value.number() == 1.0) continue;
    Draft draft;
    draft.message = fmt::format("`{}` is set although `do_sample` is not true", name);
    draft.subject = name;
    draft.where.push_back(at_json("generation_config.json", "/" + std::string(name), value));
    draft.fix = "write \"do_sample\": true, or remove the value";
    emit(std::move(draft));
    return;
  }
}

}  // namespace tok009

extern const Rule kTOK009;
const Rule kTOK009{
    .code = "TOK009",
    .name = "generation-config-contradictory",
    .severity = results::Severity::info,
    .what =
        "generation_config.json sets `temperature`, `top_p` or `top_k` only with `do_sample` "
        "true.",
    .why =
        "With greedy decoding the values have no effect, and transformers 5 refuses to save "
        "such a config: re-exports fail.",
    .bad = "\"do_sample\": false with \"temperature\": 0.6",
    .good = "\"do_sample\": true with \"temperature\": 0.6",
    .fix = "write \"do_sample\": true, or remove the values",
    .sources = "loaders TK009",
    .run = tok009::run,
};

}  // namespace ckpt::rules
