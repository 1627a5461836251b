#include <fmt/format.h>

#include "validator/base/text.h"
#include "validator/rules/shared_runs.h"

namespace ckpt::rules {
namespace {

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
    emit(std::move(draft));
    return;
  }
}

}  // namespace

extern const Rule kQNT021;
const Rule kQNT021{
    .code = "QNT021",
    .name = "block-list-spacing",
    .severity = results::Severity::warning,
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
    .run = run,
};

}  // namespace ckpt::rules
