#include <fmt/format.h>

#include "validator/base/text.h"
#include "validator/rules/documents.h"

namespace ckpt::rules {
namespace tok010 {

void run(const RuleInput& in, const Emit& emit) {
  if (in.base->vocabulary_differs == 0) return;
  Draft draft;
  draft.message = fmt::format("{} entries of the base's vocabulary differ, first `{}`",
                              with_commas(in.base->vocabulary_differs), in.base->vocabulary_first);
  draft.subject = "tokenizer.json";
  draft.count = in.base->vocabulary_differs;
  draft.where.push_back(at_file("tokenizer.json"));
  draft.effects = {
      {"all", results::LoaderState::wrong_output, "text becomes other token ids than in training"}};
  draft.fix = "copy tokenizer.json from the base";
  emit(std::move(draft));
}

}  // namespace tok010

extern const Rule kTOK010;
const Rule kTOK010{
    .code = "TOK010",
    .name = "vocabulary-not-of-the-base",
    .severity = results::Severity::error,
    .needs = Needs::base,
    .what = "Every token of the base's vocabulary has the same id here.",
    .why =
        "Quantizing changes no token. A tokenizer.json of another model of the family loads "
        "without a word and turns text into ids whose embeddings mean something else.",
    .bad = "the tokenizer.json of another release beside the weights",
    .good = "the base's tokenizer.json",
    .fix = "copy tokenizer.json from the base",
    .sources = "loaders TK002",
    .run = tok010::run,
};

}  // namespace ckpt::rules
