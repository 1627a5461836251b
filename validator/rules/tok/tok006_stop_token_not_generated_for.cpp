#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "validator/base/text.h"
#include "validator/rules/documents.h"
#include "validator/rules/edits.h"

namespace ckpt::rules {
namespace tok006 {

void run(const RuleInput& in, const Emit& emit) {
  if (!in.repo->single_file().empty() || !in.tokenizer_config.document) return;
  Draft draft;
  draft.subject = "generation_config.json";
  draft.fix = "list the id of the tokenizer's eos_token in `eos_token_id`";
  if (!in.generation_config.document) {
    draft.message = in.generation_config.present ? "`generation_config.json` cannot be read"
                                                 : "`generation_config.json` is missing";
    draft.where.push_back(at_file("generation_config.json"));
    if (!in.generation_config.present) {
      draft.edits.push_back(copy_from_base("generation_config.json"));
    }
    emit(std::move(draft));
    return;
  }
  const json::Value eos = in.tokenizer_config.document->root().find("eos_token");
  const std::string_view content = eos.string().value_or(eos.find("content").string().value_or(""));
  const auto turn = token_id(in, content);
  const json::Value listed = in.generation_config.document->root().find("eos_token_id");
  std::vector<std::int64_t> ids;
  if (const auto one = listed.integer()) ids.push_back(*one);
  listed.each([&ids](const json::Value& v) { ids.push_back(v.integer().value_or(-1)); });
  if (!turn || std::ranges::find(ids, *turn) != ids.end()) return;
  draft.message = fmt::format("`eos_token_id` lacks {}, the id of `{}`", *turn, shown(content, 30));
  draft.where.push_back(at_json("generation_config.json", "/eos_token_id",
                                listed ? listed : in.generation_config.document->root()));
  // Ids beyond the tokenizer say that tokenizer.json is a part of the real one.
  const std::int64_t largest = largest_token_id(in);
  const bool unknown =
      std::ranges::all_of(ids, [largest](std::int64_t id) { return id > largest; });
  if (unknown && !ids.empty()) draft.severity = results::Severity::info;
  const json::Value root = in.generation_config.document->root();
  if (listed.is(json::Kind::array)) {
    draft.edits.push_back(add_elements("generation_config.json", listed, {std::to_string(*turn)}));
  } else {
    const std::string list =
        ids.empty() ? std::to_string(*turn) : fmt::format("[{}, {}]", *turn, ids.front());
    draft.edits.push_back(set_member("generation_config.json", root, "eos_token_id", list));
  }
  draft.effects.push_back(
      {"all", results::LoaderState::wrong_output, "does not stop at the end of a turn"});
  emit(std::move(draft));
}

}  // namespace tok006

extern const Rule kTOK006;
const Rule kTOK006{
    .code = "TOK006",
    .name = "stop-token-not-generated-for",
    .severity = results::Severity::warning,
    .repairable = true,
    .what =
        "generation_config.json exists and its `eos_token_id` holds the tokenizer's end-of-turn"
        " token.",
    .why =
        "Engines stop at these ids. Without the file they fall back to the config's "
        "`eos_token_id`, which in this family is the end of text, not of the turn: answers run "
        "on to the length limit.",
    .bad = "\"eos_token_id\": 248044 where the turn ends with <|im_end|> (248046)",
    .good = "\"eos_token_id\": [248046, 248044]",
    .fix = "list the id of the tokenizer's eos_token",
    .sources = "loaders, section 6, TK006",
    .run = tok006::run,
};

}  // namespace ckpt::rules
