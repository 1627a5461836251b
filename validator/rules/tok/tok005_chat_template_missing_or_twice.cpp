#include "validator/rules/documents.h"
#include "validator/rules/edits.h"

namespace ckpt::rules {
namespace tok005 {

void run(const RuleInput& in, const Emit& emit) {
  if (!in.repo->single_file().empty() || !in.tokenizer_config.document) return;
  const json::Value key = in.tokenizer_config.document->root().find("chat_template");
  const bool file = in.chat_template.has_value() || in.repo->find("chat_template.json") != nullptr;
  Draft draft;
  draft.subject = "chat_template";
  if (!file && !key) {
    draft.message = "no chat template: no chat_template.jinja, no key in tokenizer_config.json";
    draft.where.push_back(at_file("chat_template.jinja"));
  } else if (in.chat_template && key.string() && *key.string() != *in.chat_template) {
    draft.message = "the template in tokenizer_config.json is not the one in chat_template.jinja";
    draft.where.push_back(at_json("tokenizer_config.json", "/chat_template", key));
  } else {
    return;
  }
  draft.fix = "keep one template, that of the base model";
  if (!file && !key) draft.edits.push_back(copy_from_base("chat_template.jinja"));
  emit(std::move(draft));
}

}  // namespace tok005

extern const Rule kTOK005;
const Rule kTOK005{
    .code = "TOK005",
    .name = "chat-template-missing-or-twice",
    .severity = results::Severity::warning,
    .repairable = true,
    .what =
        "There is a chat template, in chat_template.jinja or in tokenizer_config.json; when in "
        "both, it is the same.",
    .why =
        "Without one chat requests fail or are formatted by a default that the model was not "
        "trained on. transformers 5 prefers the file, transformers 4 may know only the key: "
        "with two texts the same repo talks in two formats.",
    .bad = "no chat_template.jinja and no `chat_template`",
    .good = "chat_template.jinja of the base model",
    .fix = "copy chat_template.jinja from the base model",
    .sources = "loaders, section 6, TK005",
    .run = tok005::run,
};

}  // namespace ckpt::rules
