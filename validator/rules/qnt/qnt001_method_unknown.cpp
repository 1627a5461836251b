#include "validator/rules/places.h"

#include <fmt/format.h>

#include <algorithm>

#include "validator/base/text.h"

namespace ckpt::rules {
namespace {

void run(const RuleInput& in, const Emit& emit) {
  if (in.stored == nullptr) return;
  const auto packed = std::ranges::count_if(
      in.stored->modules, [](const quant::Stored& s) { return quant::is_quantized(s.format); });
  const auto& q = in.config->quant;
  if (q && q->method != config::QuantMethod::unknown) return;
  if (!q && packed == 0) return;
  Draft draft;
  draft.subject = "quantization_config";
  draft.effects = {
      {"vllm", results::LoaderState::does_not_load, "unknown method, or unexpected packed tensors"},
      {"transformers", results::LoaderState::wrong_weights,
       "loads unquantized: random weights, a warning only"}};
  draft.fix =
      "write \"auto-round\", \"gptq\", \"awq\", \"compressed-tensors\" or \"fp8\", as the tool "
      "that made the weights";
  if (q) {
    draft.message =
        fmt::format("`quant_method` is `{}`, which no loader knows", shown(q->method_text, 40));
    draft.where.push_back(at_json(q->file, q->pointer, q->block.value.find("quant_method")));
  } else {
    draft.message = fmt::format("{} packed modules, and no quantization config",
                                with_commas(static_cast<std::uint64_t>(packed)));
    draft.where.push_back(at_json(
        "config.json", "", in.config->document ? in.config->document->root() : json::Value{}));
  }
  emit(std::move(draft));
}

}  // namespace

extern const Rule kQNT001;
const Rule kQNT001{
    .code = "QNT001",
    .name = "method-unknown",
    .severity = results::Severity::error,
    .what =
        "`quant_method` names a method that loaders know; packed tensors come with a "
        "quantization config.",
    .why =
        "With `auto_round` (underscore) or no block, transformers warns and loads random "
        "weights; vLLM and SGLang refuse the method.",
    .bad = "\"quant_method\": \"auto_round\"",
    .good = "\"quant_method\": \"auto-round\"",
    .fix = "write the method's own spelling",
    .sources = "loaders, sections 2 to 4 and 7",
    .run = run,
};

}  // namespace ckpt::rules
