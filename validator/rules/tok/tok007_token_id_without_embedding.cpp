#include <fmt/format.h>

#include "validator/rules/documents.h"

namespace ckpt::rules {
namespace tok007 {

void run(const RuleInput& in, const Emit& emit) {
  if (!in.config->supported) return;
  const std::int64_t largest = largest_token_id(in);
  if (largest < 0) return;
  if (largest >= in.config->text.vocab_size) {
    Draft draft;
    draft.message = fmt::format("the tokenizer has id {}, `vocab_size` is {}", largest,
                                in.config->text.vocab_size);
    draft.subject = "vocab_size";
    draft.where.push_back(at_text_field(in, "vocab_size"));
    draft.effects =
        every_loader(results::LoaderState::wrong_output, "index error once the token is used");
    draft.fix = "take tokenizer and config from the same base model";
    emit(std::move(draft));
  }

  struct Special {
    std::string_view field;
    std::string_view content;
  };

  Draft draft;
  draft.count = 0;
  draft.severity = results::Severity::info;
  for (const Special& s :
       {Special{"image_token_id", "<|image_pad|>"}, Special{"video_token_id", "<|video_pad|>"},
        Special{"vision_start_token_id", "<|vision_start|>"},
        Special{"vision_end_token_id", "<|vision_end|>"}}) {
    const json::Value field = config_root(in).find(s.field);
    const auto id = field.integer();
    const auto known = token_id(in, s.content);
    if (!in.config->vision || !id || !known || *id == *known) continue;
    if (draft.count++ == 0) {
      draft.message =
          fmt::format("`{}` is {}, the tokenizer has `{}` at {}", s.field, *id, s.content, *known);
      draft.subject = std::string(s.field);
    }
    add_place(draft, at_json("config.json", "/" + std::string(s.field), field));
    // Ids beyond the tokenizer say that tokenizer.json is a part of the real one.
    if (*id <= largest) draft.severity = results::Severity::error;
  }
  if (draft.count == 0) return;
  draft.effects = {
      {"images", results::LoaderState::wrong_output, "are put where the model does not look"}};
  draft.fix = "take tokenizer and config from the same base model";
  emit(std::move(draft));
}

}  // namespace tok007

extern const Rule kTOK007;
const Rule kTOK007{
    .code = "TOK007",
    .name = "token-id-without-embedding",
    .severity = results::Severity::error,
    .what =
        "Every token id is below `vocab_size`, and the image and video ids of the config are "
        "those of the tokenizer.",
    .why =
        "An id without a row is an index error, or a read outside the embedding. With other "
        "image ids than the tokenizer's, images are never put where the model looks for them.",
    .bad = "an added token 248320 with \"vocab_size\": 248320",
    .good = "ids 0 to vocab_size - 1",
    .fix = "take tokenizer and config from the same base model",
    .sources = "architecture 2; loaders CFG013, TK007",
    .run = tok007::run,
};

}  // namespace ckpt::rules
