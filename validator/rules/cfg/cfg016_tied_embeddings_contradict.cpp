#include <fmt/format.h>

#include "validator/rules/documents.h"

namespace ckpt::rules {
namespace {

void run(const RuleInput& in, const Emit& emit) {
  if (!in.config->supported) return;
  const auto top = config_root(in).find("tie_word_embeddings").boolean();
  const auto text = text_object(in).find("tie_word_embeddings").boolean();
  const bool head = in.checkpoint->find("lm_head.weight") != nullptr;
  Draft draft;
  draft.subject = "tie_word_embeddings";
  draft.where.push_back(at_text_field(in, "tie_word_embeddings"));
  if (in.config->nested && top && text && *top != *text) {
    draft.message =
        fmt::format("`tie_word_embeddings` is {} at the top, {} in text_config", *top, *text);
    draft.effects = {
        {"transformers", results::LoaderState::wrong_output, "the head is tied, or not, by class"}};
  } else if (in.config->text.tie_word_embeddings && head) {
    draft.message = "`tie_word_embeddings` is true and `lm_head.weight` is stored";
    draft.severity = results::Severity::warning;
    draft.effects = {{"all", results::LoaderState::wrong_output,
                      "the stored head is dropped; wrong unless it equals the embedding"}};
  } else {
    return;
  }
  draft.fix = fmt::format("write {} in both places", head ? "false" : "true");
  emit(std::move(draft));
}

}  // namespace

extern const Rule kCFG016;
const Rule kCFG016{
    .code = "CFG016",
    .name = "tied-embeddings-contradict",
    .severity = results::Severity::error,
    .what =
        "`tie_word_embeddings` says the same at the top and in text_config, and no "
        "`lm_head.weight` is stored when it is true.",
    .why =
        "vision-language classes read the top, text classes and engines text_config: with two "
        "values the head is tied in one loader and not in the other. With `true` and a stored "
        "head, loaders drop the stored one: right only if it equals the embedding.",
    .bad = "\"tie_word_embeddings\": true at the top, false in text_config",
    .good = "one value; true only without lm_head.weight",
    .fix = "write the value the stored tensors have",
    .sources = "architecture 2; loaders CFG010",
    .run = run,
};

}  // namespace ckpt::rules
