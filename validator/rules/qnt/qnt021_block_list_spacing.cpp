#include <fmt/format.h>

#include "validator/base/text.h"
#include "validator/rules/edits.h"
#include "validator/rules/shared_runs.h"

namespace ckpt::rules {
namespace qnt021 {

std::string trimmed(std::string_view text) {
  while (text.starts_with(' ')) text.remove_prefix(1);
  while (text.ends_with(' ')) text.remove_suffix(1);
  return std::string(text);
}

/// The list without spaces and empty items, in the form that it has.
results::Edit cleaned(const config::QuantConfig& q) {
  const json::Value value = q.block.value.find("block_name_to_quantize");
  std::string text;
  for (const config::Pattern& b : q.blocks) {
    const std::string item = trimmed(b.text);
    if (item.empty()) continue;
    if (!text.empty()) text += q.blocks_is_list ? ", " : ",";
    text += q.blocks_is_list ? json::quoted(item) : item;
  }
  return replace_value(q.file, value, q.blocks_is_list ? "[" + text + "]" : json::quoted(text));
}

void run(const RuleInput& in, const Emit& emit) {
  if (!quantized_by(in, config::QuantMethod::auto_round)) return;
  const config::QuantConfig& q = *in.config->quant;
  for (const config::Pattern& b : q.blocks) {
    const bool spaced = b.text.starts_with(' ') || b.text.ends_with(' ');
    if (!spaced && !(b.text.empty() && !q.blocks_text.empty())) continue;
    Draft draft;
    draft.message = spaced ? fmt::format("the block `{}` has spaces around it", shown(b.text, 50))
                           : std::string("an item of the block list is empty");
    draft.subject = "block_name_to_quantize";
    draft.where.push_back(at_json(q.file, q.pointer + "/block_name_to_quantize", b.place));
    draft.effects = effects_on(in, packed_modules(in));
    if (!draft.effects.empty()) draft.severity = results::Severity::error;
    draft.fix = "remove the spaces and empty items";
    // Nested lists are another defect, and the older spelling of the key has no repair here.
    if (q.block.value.find("block_name_to_quantize") && !q.blocks_nested) {
      draft.edits.push_back(cleaned(q));
    }
    emit(std::move(draft));
    return;
  }
}

}  // namespace qnt021

extern const Rule kQNT021;
const Rule kQNT021{
    .code = "QNT021",
    .name = "block-list-spacing",
    .severity = results::Severity::warning,
    .repairable = true,
    .what =
        "`block_name_to_quantize` is a flat list, or a comma string without spaces and empty "
        "items.",
    .why =
        "vLLM splits the string at commas without trimming: an item after \", \" never matches,"
        " so its blocks are built at 16 bits and loading stops at the first packed tensor. "
        "Nested lists raise in vLLM. transformers trims and flattens.",
    .bad = "\"block_name_to_quantize\": \"model.layers.0, model.layers.1\"",
    .good = "\"block_name_to_quantize\": \"model.layers.0,model.layers.1\"",
    .fix = "remove the spaces and empty items",
    .sources = "loaders 2.3 (ran), QC005",
    .run = qnt021::run,
};

}  // namespace ckpt::rules
