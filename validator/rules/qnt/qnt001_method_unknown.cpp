#include "validator/rules/shared_runs.h"

#include <fmt/format.h>

#include <algorithm>

#include "validator/base/text.h"

namespace ckpt::rules {
namespace qnt001 {

/// The config of another revision, or of weights that were never exported.
void nothing_packed(const RuleInput& in, const Emit& emit) {
  const config::QuantConfig& q = *in.config->quant;
  std::vector<std::uint32_t> asked;
  for (std::uint32_t i = 0; i < in.stored->modules.size(); ++i) {
    const loaders::Decision* d = in.intent->decision(i);
    if (d != nullptr && d->quantized && in.stored->modules[i].format == quant::Format::plain) {
      asked.push_back(i);
    }
  }
  if (asked.empty()) return;
  Draft draft;
  draft.message = fmt::format("a quantization config for {} modules, and nothing is packed",
                              with_commas(asked.size()));
  draft.subject = "quantization_config";
  draft.where.push_back(at_json(q.file, q.pointer, q.block.key ? q.block.key : q.block.value));
  add_modules(in, asked, draft);
  draft.effects = effects_on(in, asked);
  draft.fix = "remove the block, or store the quantized weights";
  emit(std::move(draft));
}

void run(const RuleInput& in, const Emit& emit) {
  if (in.stored == nullptr) return;
  const auto packed = std::ranges::count_if(
      in.stored->modules, [](const quant::Stored& s) { return quant::is_quantized(s.format); });
  const auto& q = in.config->quant;
  if (q && q->method != config::QuantMethod::unknown) {
    if (packed == 0 && in.intent->predicted) nothing_packed(in, emit);
    return;
  }
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
    draft.message = q->method_text.empty()
                        ? std::string("`quant_method` is missing")
                        : fmt::format("`quant_method` is `{}`, which no loader knows",
                                      shown(q->method_text, 40));
    const json::Value named = q->block.value.find("quant_method");
    draft.where.push_back(at_json(q->file, q->pointer, named ? named : q->block.value));
  } else {
    draft.message = fmt::format("{} packed modules, and no quantization config",
                                with_commas(static_cast<std::uint64_t>(packed)));
    draft.where.push_back(at_json(
        "config.json", "", in.config->document ? in.config->document->root() : json::Value{}));
  }
  emit(std::move(draft));
}

}  // namespace qnt001

extern const Rule kQNT001;
const Rule kQNT001{
    .code = "QNT001",
    .name = "method-unknown",
    .severity = results::Severity::error,
    .what =
        "`quant_method` names a method that loaders know; packed tensors come with a "
        "quantization config, and such a config with packed tensors.",
    .why =
        "With `auto_round` (underscore) or no block, transformers warns and loads random "
        "weights; vLLM and SGLang refuse the method. A config beside weights that are all plain "
        "makes "
        "every loader ask for tensors that nobody stored.",
    .bad = "\"quant_method\": \"auto_round\"",
    .good = "\"quant_method\": \"auto-round\"",
    .fix = "write the method's own spelling",
    .sources = "loaders, sections 2 to 4 and 7",
    .run = qnt001::run,
};

}  // namespace ckpt::rules
