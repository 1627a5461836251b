#include <fmt/format.h>

#include "validator/rules/documents.h"

namespace ckpt::rules {
namespace ldr009 {

void run(const RuleInput& in, const Emit& emit) {
  if (in.expert_parallel <= 1 || !in.config->supported || !in.config->text.moe) return;
  const auto ranks = static_cast<std::int64_t>(in.expert_parallel);
  const std::int64_t experts = in.config->text.num_experts;
  if (experts % ranks == 0) return;
  Draft draft;
  draft.message = fmt::format("{} ranks cannot share {} experts evenly", ranks, experts);
  draft.subject = "num_experts";
  draft.where.push_back(at_text_field(in, "num_experts"));
  draft.effects = {
      {"sglang", results::LoaderState::does_not_load, "AssertionError at start"},
      {"vllm", results::LoaderState::slow_path, "some ranks hold one expert more than others"}};
  draft.fix = fmt::format("serve on a number of ranks that divides {}", experts);
  emit(std::move(draft));
}

}  // namespace ldr009

extern const Rule kLDR009;
const Rule kLDR009{
    .code = "LDR009",
    .name = "experts-shared-unevenly",
    .severity = results::Severity::warning,
    .what = "The number of experts is a multiple of the ranks named with --expert-parallel.",
    .why =
        "A pruned model often has an odd number of experts (333, 267): SGLang asserts that the "
        "ranks divide it, vLLM gives the first ranks one more and waits for them at every layer. "
        "Silent without --expert-parallel.",
    .bad = "333 experts with --expert-parallel 4",
    .good = "333 experts with --expert-parallel 3",
    .fix = "serve on a number of ranks that divides the experts, or share layers (tensor parallel)",
    .sources = "architecture 8.2; loaders AR008",
    .run = ldr009::run,
};

}  // namespace ckpt::rules
