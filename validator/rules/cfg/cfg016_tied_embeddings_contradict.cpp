#include <fmt/format.h>

#include <algorithm>

#include "validator/rules/documents.h"
#include "validator/rules/edits.h"

namespace ckpt::rules {
namespace cfg016 {

/// The content of one tensor, when it was read for comparing.
const ContentHash* content_of(const RuleInput& in, std::int64_t tensor) {
  const auto it = std::ranges::find_if(in.values->contents, [tensor](const ContentHash& c) {
    return static_cast<std::int64_t>(c.tensor) == tensor;
  });
  return it == in.values->contents.end() ? nullptr : &*it;
}

/// Whether the stored head holds the embedding's bytes; nothing when the values were not read.
std::optional<bool> head_is_embedding(const RuleInput& in) {
  if (in.values == nullptr || in.blueprint == nullptr) return std::nullopt;
  const container::Tensor* head = in.checkpoint->find("lm_head.weight");
  const auto& modules = in.blueprint->modules();
  const auto embedding = std::ranges::find_if(
      modules, [](const arch::Module& m) { return m.cls == arch::ModuleClass::embedding; });
  if (head == nullptr || embedding == modules.end()) return std::nullopt;
  const quant::Stored& stored =
      in.stored->modules[static_cast<std::size_t>(embedding - modules.begin())];
  const ContentHash* a = content_of(in, head - in.checkpoint->tensors().data());
  const ContentHash* b = content_of(in, stored.at(quant::Member::weight));
  if (a == nullptr || b == nullptr) return std::nullopt;
  return a->hash == b->hash;
}

/// `value` at the top and in the text config.
void repair(const RuleInput& in, bool value, Draft& draft) {
  const std::string text = value ? "true" : "false";
  draft.edits.push_back(set_member("config.json", config_root(in), "tie_word_embeddings", text));
  if (!in.config->nested) return;
  draft.edits.push_back(set_member("config.json", text_object(in), "tie_word_embeddings", text));
}

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
    repair(in, !head, draft);
  } else if (in.config->text.tie_word_embeddings && head) {
    draft.message = "`tie_word_embeddings` is true and `lm_head.weight` is stored";
    const auto equal = head_is_embedding(in);
    draft.severity = !equal   ? results::Severity::warning
                     : *equal ? results::Severity::info
                              : results::Severity::error;
    if (!equal || !*equal) {
      if (equal) {
        draft.effects = every_loader(results::LoaderState::wrong_output,
                                     "drops the stored head, which is not the embedding");
      } else {
        draft.effects = {{"all", results::LoaderState::wrong_output,
                          "the stored head is dropped; wrong unless it equals the embedding"}};
      }
      repair(in, false, draft);
    }
  } else {
    return;
  }
  draft.fix = fmt::format("write {} in both places", head ? "false" : "true");
  emit(std::move(draft));
}

}  // namespace cfg016

extern const Rule kCFG016;
const Rule kCFG016{
    .code = "CFG016",
    .name = "tied-embeddings-contradict",
    .severity = results::Severity::error,
    .repairable = true,
    .what =
        "`tie_word_embeddings` says the same at the top and in text_config, and no "
        "`lm_head.weight` is stored when it is true.",
    .why =
        "vision-language classes read the top, text classes and engines text_config: with two "
        "values the head is tied in one loader and not in the other. With `true` and a stored "
        "head, loaders drop the stored one: right only if it equals the embedding, which is "
        "compared when "
        "values are read.",
    .bad = "\"tie_word_embeddings\": true at the top, false in text_config",
    .good = "one value; true only without lm_head.weight",
    .fix = "write the value the stored tensors have",
    .sources = "architecture 2; loaders CFG010",
    .run = cfg016::run,
};

}  // namespace ckpt::rules
