#include "validator/rules/edits.h"
#include "validator/rules/shared_runs.h"

#include <fmt/format.h>

#include <algorithm>

#include "validator/base/text.h"

namespace ckpt::rules {
namespace qnt003 {

void run(const RuleInput& in, const Emit& emit) {
  if (!quantized_by(in, config::QuantMethod::auto_round)) return;
  const config::QuantConfig& q = *in.config->quant;
  for (const config::Pattern& b : q.blocks) {
    const bool hits = std::ranges::any_of(in.blueprint->modules(), [&b](const arch::Module& m) {
      return std::string_view(m.name).starts_with(b.text);
    });
    if (hits || b.text.empty() || b.text.starts_with("mtp") || b.text.starts_with(' ')) continue;
    Draft draft;
    draft.message =
        fmt::format("the block `{}` is the beginning of no module name", shown(b.text, 60));
    draft.subject = shown(b.text);
    results::Location w = at_json(q.file, q.pointer + "/block_name_to_quantize", b.place);
    w.note =
        fmt::format("modules of this class begin with `{}layers`", in.blueprint->text_prefix());
    draft.where.push_back(std::move(w));
    draft.effects = effects_on(in, packed_modules(in));
    draft.fix = fmt::format("write \"{}layers\"", in.blueprint->text_prefix());
    draft.edits.push_back(
        replace_value(q.file, b.place, json::quoted(in.blueprint->text_prefix() + "layers")));
    emit(std::move(draft));
  }
}

}  // namespace qnt003

extern const Rule kQNT003;
const Rule kQNT003{
    .code = "QNT003",
    .name = "quantized-blocks-match-nothing",
    .severity = results::Severity::error,
    .repairable = true,
    .what =
        "Each item of `block_name_to_quantize` is the beginning of at least one module "
        "name.",
    .why =
        "With a wrong prefix (`model.layers` in a vision-language repo) nothing is "
        "quantized: vLLM stops at the first packed tensor, transformers loads random "
        "weights with a warning only. vLLM splits at commas without trimming, so an item "
        "after \", \" never matches.",
    .bad =
        "\"block_name_to_quantize\": \"model.layers\" for "
        "Qwen3_5MoeForConditionalGeneration",
    .good = "\"block_name_to_quantize\": \"model.language_model.layers\"",
    .fix = "write the prefix the modules of this class have",
    .sources = "loaders 2.3, 3.1 (ran)",
    .run = qnt003::run,
};

}  // namespace ckpt::rules
