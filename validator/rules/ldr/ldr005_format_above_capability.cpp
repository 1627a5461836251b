#include <fmt/format.h>

#include <map>

#include "validator/base/text.h"
#include "validator/rules/places.h"

namespace ckpt::rules {
namespace ldr005 {

void report(const RuleInput& in, const Emit& emit, quant::Format format,
            const std::vector<std::uint32_t>& modules) {
  const loaders::FormatNeeds needs = loaders::needs_of(format, in.config->quant->method);
  const bool refused = in.gpu->capability < needs.least;
  Draft draft;
  draft.message = fmt::format("{} modules in {} want capability {}, {} has {}",
                              with_commas(modules.size()), quant::format_name(format),
                              loaders::capability_text(refused ? needs.least : needs.native),
                              in.gpu->name, loaders::capability_text(in.gpu->capability));
  draft.subject = in.blueprint->modules()[modules[0]].name;
  draft.count = modules.size();
  add_modules(in, modules, draft);
  draft.severity = refused ? results::Severity::error : results::Severity::warning;
  draft.effects = {refused ? results::Effect{"vllm", results::LoaderState::does_not_load,
                                             "ValueError: the capability is below the minimum"}
                           : results::Effect{"vllm", results::LoaderState::slow_path,
                                             "has no native kernel and decodes the weights first"}};
  draft.fix = fmt::format("serve on a device of capability {} or later",
                          loaders::capability_text(needs.native));
  emit(std::move(draft));
}

void run(const RuleInput& in, const Emit& emit) {
  if (!in.gpu || in.gpu->capability == loaders::kNoGpu || in.stored == nullptr ||
      !in.config->quant) {
    return;
  }
  std::map<quant::Format, std::vector<std::uint32_t>> found;
  for (std::uint32_t i = 0; i < in.stored->modules.size(); ++i) {
    const quant::Format f = in.stored->modules[i].format;
    if (!quant::is_quantized(f)) continue;
    const loaders::FormatNeeds needs = loaders::needs_of(f, in.config->quant->method);
    if (in.gpu->capability < needs.native) found[f].push_back(i);
  }
  for (const auto& [format, modules] : found) report(in, emit, format, modules);
}

}  // namespace ldr005

extern const Rule kLDR005;
const Rule kLDR005{
    .code = "LDR005",
    .name = "format-above-capability",
    .severity = results::Severity::error,
    .what = "The device named with --gpu has kernels for every quantized format of the repo.",
    .why =
        "Marlin, which takes 4- and 8-bit integers, wants compute capability 7.5 (AutoRound's "
        "method alone goes down to 6.0, on slower kernels); FP8 has hardware from 8.9 on and "
        "FP4 from 10.0: below, vLLM decodes the weights to 16 bits inside the kernel, which "
        "saves memory but no time. Silent without --gpu.",
    .bad = "FP8 weights with --gpu a100",
    .good = "FP8 weights with --gpu l40s; 4-bit integers with --gpu t4",
    .fix = "serve on a device of that capability, or publish another format for this one",
    .sources = "loaders 2.3, LD005",
    .run = ldr005::run,
};

}  // namespace ckpt::rules
