#include "validator/rules/edits.h"
#include "validator/rules/places.h"

#include <fmt/format.h>

namespace ckpt::rules {
namespace tok003 {

void run(const RuleInput& in, const Emit& emit) {
  if (!in.tokenizer_config.document) return;
  const json::Value v = in.tokenizer_config.document->root().find("tokenizer_class");
  const auto name = v.string();
  if (!name || (*name != "TokenizersBackend" && *name != "PythonBackend")) return;
  Draft draft;
  draft.message = fmt::format("`{}` is known to transformers 5 only", *name);
  draft.subject = "tokenizer_class";
  draft.where.push_back(at_json("tokenizer_config.json", "/tokenizer_class", v));
  draft.effects.push_back({"transformers 4", results::LoaderState::does_not_load,
                           "the tokenizer does not load, nor in engines that build on it"});
  draft.fix = "write \"Qwen2TokenizerFast\"";
  draft.edits.push_back(replace_value("tokenizer_config.json", v, "\"Qwen2TokenizerFast\""));
  emit(std::move(draft));
}

}  // namespace tok003

extern const Rule kTOK003;
const Rule kTOK003{
    .code = "TOK003",
    .name = "tokenizer-class-too-new",
    .severity = results::Severity::warning,
    .repairable = true,
    .what = "`tokenizer_class` is a class that transformers 4 knows too.",
    .why =
        "transformers 5 writes `TokenizersBackend` for a generic fast tokenizer; "
        "transformers 4, and engines that build on it, stop with \"Tokenizer class "
        "TokenizersBackend does not exist\".",
    .bad = "\"tokenizer_class\": \"TokenizersBackend\"",
    .good = "\"tokenizer_class\": \"Qwen2TokenizerFast\"",
    .fix = "write \"Qwen2TokenizerFast\"",
    .sources = "card 002, erratum 1; loaders, section 6",
    .run = tok003::run,
};

}  // namespace ckpt::rules
