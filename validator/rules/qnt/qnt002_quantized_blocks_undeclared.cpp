#include "validator/rules/edits.h"
#include "validator/rules/places.h"

#include <fmt/format.h>

#include "validator/base/text.h"

namespace ckpt::rules {
namespace qnt002 {

void run(const RuleInput& in, const Emit& emit) {
  const std::vector<std::uint32_t> vision = undeclared_vision(in);
  if (vision.empty()) return;
  const config::QuantConfig& q = *in.config->quant;
  Draft draft;
  draft.message = "`block_name_to_quantize` is missing";
  draft.subject = "block_name_to_quantize";
  results::Location w = at_json(q.file, q.pointer, q.block.key ? q.block.key : q.block.value);
  w.note =
      fmt::format("so the scheme also covers {} vision modules stored unquantized", vision.size());
  draft.where.push_back(std::move(w));
  draft.effects = effects_on(in, vision);
  draft.fix =
      fmt::format("add \"block_name_to_quantize\": \"{}layers\"", in.blueprint->text_prefix());
  draft.edits.push_back(set_member(q.file, q.block.value, "block_name_to_quantize",
                                   json::quoted(in.blueprint->text_prefix() + "layers")));
  emit(std::move(draft));
}

}  // namespace qnt002

extern const Rule kQNT002;
const Rule kQNT002{
    .code = "QNT002",
    .name = "quantized-blocks-undeclared",
    .severity = results::Severity::error,
    .repairable = true,
    .what =
        "A vision-language AutoRound repo whose vision tower is stored unquantized names "
        "its quantized blocks (`block_name_to_quantize`).",
    .why =
        "Without the list the scheme covers the vision tower too: vLLM builds it 4-bit and "
        "stops at the first vision weight (KeyError in older versions); transformers finds "
        "no kernel for it.",
    .bad = "no `block_name_to_quantize`",
    .good = "\"block_name_to_quantize\": \"model.language_model.layers\"",
    .fix = "add \"block_name_to_quantize\": \"model.language_model.layers\"",
    .sources = "card 002, erratum 2; loaders 2.3 and 3.1 (ran)",
    .run = qnt002::run,
};

}  // namespace ckpt::rules
