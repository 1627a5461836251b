#include <fmt/format.h>

#include <array>

#include "validator/rules/shared_runs.h"

namespace ckpt::rules {
namespace {

bool row_parallel(const arch::Module& m) {
  return m.cls != arch::ModuleClass::vision && m.cls != arch::ModuleClass::mtp &&
         (m.name.ends_with("o_proj") || m.name.ends_with("out_proj") ||
          m.name.ends_with("down_proj"));
}

void run(const RuleInput& in, const Emit& emit) {
  if (in.stored == nullptr) return;
  constexpr std::array<std::uint64_t, 3> kRanks{8, 4, 2};
  std::uint64_t sound = 8;
  std::int64_t reason = -1;
  for (std::uint32_t i = 0; i < in.stored->modules.size(); ++i) {
    const arch::Module& m = in.blueprint->modules()[i];
    const quant::Stored& s = in.stored->modules[i];
    if (s.group_size <= 0 || !quant::is_quantized(s.format) || !row_parallel(m) ||
        m.shape.size() != 2)
      continue;
    const auto group = static_cast<std::uint64_t>(s.group_size);
    for (const std::uint64_t ranks : kRanks) {
      if (ranks > sound || (m.shape[1] % ranks == 0 && m.shape[1] / ranks % group == 0)) continue;
      sound = ranks / 2;
      reason = i;
    }
  }
  if (reason < 0) return;
  const auto module = static_cast<std::uint32_t>(reason);
  Draft draft;
  draft.message = fmt::format("groups stay whole on up to {} rank{} of tensor parallelism", sound,
                              sound == 1 ? "" : "s");
  draft.subject = in.blueprint->modules()[module].name;
  add_modules(in, {module}, draft);
  draft.fix = fmt::format("serve with --tensor-parallel-size {} or less", sound);
  emit(std::move(draft));
}

}  // namespace

extern const Rule kLDR002;
const Rule kLDR002{
    .code = "LDR002",
    .name = "tensor-parallel-limit",
    .severity = results::Severity::info,
    .what = "Up to 8 ranks, no quantization group lies across two ranks of tensor parallelism.",
    .why =
        "Row-parallel projections (o_proj, out_proj, down_proj) are cut along their inputs: "
        "when a rank's share is no multiple of the group size, compressed-tensors raises and "
        "the other paths become slow or replicate the module.",
    .bad = "down_proj with 512 inputs and groups of 128 on 8 ranks",
    .good = "the same on 4 ranks",
    .fix = "serve on as many ranks as the message says, or quantize in smaller groups",
    .sources = "loaders 2.8, LD001",
    .run = run,
};

}  // namespace ckpt::rules
