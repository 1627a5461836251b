#include <fmt/format.h>

#include <algorithm>

#include "validator/rules/documents.h"

namespace ckpt::rules {
namespace ldr006 {

void run(const RuleInput& in, const Emit& emit) {
  if (!in.gpu || in.gpu->capability == loaders::kNoGpu ||
      in.gpu->capability >= loaders::kBfloat16Capability || !in.config->supported) {
    return;
  }
  const auto& types = in.config->text.layer_types;
  if (std::ranges::find(types, config::LayerType::linear_attention) == types.end()) return;
  Draft draft;
  draft.message = fmt::format("{} has capability {} and no BF16, which this model needs",
                              in.gpu->name, loaders::capability_text(in.gpu->capability));
  draft.subject = "gpu";
  draft.where.push_back(at_text_field(in, "layer_types"));
  draft.effects = {{"vllm", results::LoaderState::wrong_output,
                    "`auto` falls back to float16: NaN, seen as `!!!!!!!`"}};
  draft.fix = "serve on a device of capability 8.0 or later, or with --dtype float32";
  emit(std::move(draft));
}

}  // namespace ldr006

extern const Rule kLDR006;
const Rule kLDR006{
    .code = "LDR006",
    .name = "bfloat16-model-on-old-device",
    .severity = results::Severity::error,
    .what =
        "The device named with --gpu computes in BF16 when the model has linear-attention "
        "layers.",
    .why =
        "Below capability 8.0 vLLM's `auto` turns bfloat16 into float16 with a warning in the "
        "log; linear-attention models overflow there (see CFG011), although the repo is right. "
        "Silent without --gpu.",
    .bad = "any Qwen3.5 repo with --gpu t4",
    .good = "the same with --gpu a10",
    .fix = "serve on a device of capability 8.0 or later, or with --dtype float32",
    .sources = "loaders 2.9, LD006",
    .run = ldr006::run,
};

}  // namespace ckpt::rules
