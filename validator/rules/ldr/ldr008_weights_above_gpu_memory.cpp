#include <fmt/format.h>

#include <algorithm>

#include "validator/base/text.h"
#include "validator/rules/documents.h"

namespace ckpt::rules {
namespace ldr008 {

/// vLLM leaves a tenth of the memory alone unless told otherwise (--gpu-memory-utilization).
constexpr double kUsable = 0.9;

void run(const RuleInput& in, const Emit& emit) {
  if (!in.gpu || in.gpu->memory_bytes == 0 || !in.served) return;
  const auto usable =
      static_cast<std::uint64_t>(kUsable * static_cast<double>(in.gpu->memory_bytes));
  const ServedBytes& s = *in.served;
  const std::uint64_t all = s.weights + s.rest;
  if (all <= usable) return;
  const bool weights = s.weights > usable;
  const std::uint64_t gpus = std::max<std::uint64_t>(in.tensor_parallel, 1);
  Draft draft;
  draft.message = weights
                      ? fmt::format("weights take {} on each of {}, {} leaves {}",
                                    bytes_text(s.weights), gpus, in.gpu->name, bytes_text(usable))
                      : fmt::format("weights and one sequence take {}, {} leaves {}",
                                    bytes_text(all), in.gpu->name, bytes_text(usable));
  draft.subject = "memory";
  draft.severity = weights ? results::Severity::error : results::Severity::warning;
  draft.where.push_back(at_file("config.json"));
  draft.where.back().note =
      fmt::format("weights {}, one sequence of {} tokens {}", bytes_text(s.weights),
                  with_commas(s.context), bytes_text(s.rest));
  draft.effects = {
      weights ? results::Effect{"all", results::LoaderState::does_not_load, "out of memory"}
              : results::Effect{"vllm", results::LoaderState::slow_path,
                                "takes shorter sequences only"}};
  draft.fix = "serve on more or larger GPUs; `ckpt-check estimate` shows what fits";
  emit(std::move(draft));
}

}  // namespace ldr008

extern const Rule kLDR008;
const Rule kLDR008{
    .code = "LDR008",
    .name = "weights-above-gpu-memory",
    .severity = results::Severity::error,
    .what =
        "Weights, key-value cache, recurrent states and activations of one sequence fit nine "
        "tenths of the memory of the device named with --gpu.",
    .why =
        "vLLM uses nine tenths unless told otherwise. When the weights alone are larger no "
        "engine starts; when only a sequence of 32,768 tokens does not fit beside them, it "
        "serves shorter ones. --tensor-parallel divides the weights. Silent without --gpu, and "
        "for names that are sold with several sizes of memory (`a100`, `sm_90`).",
    .bad = "136 GB of weights with --gpu h100",
    .good = "the same with --gpu h100 --tensor-parallel 4",
    .fix = "serve on more or larger GPUs",
    .sources = "loaders LD010; architecture 6 and 7",
    .run = ldr008::run,
};

}  // namespace ckpt::rules
