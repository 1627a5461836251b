#include <fmt/format.h>

#include <array>

#include "validator/base/text.h"
#include "validator/rules/shared_runs.h"

namespace ckpt::rules {
namespace ldr002 {

bool row_parallel(const arch::Module& m) {
  return m.cls != arch::ModuleClass::vision && m.cls != arch::ModuleClass::mtp &&
         (m.name.ends_with("o_proj") || m.name.ends_with("out_proj") ||
          m.name.ends_with("down_proj"));
}

bool whole_groups(const arch::Module& m, const quant::Stored& s, std::uint64_t ranks) {
  return m.shape[1] % ranks == 0 &&
         m.shape[1] / ranks % static_cast<std::uint64_t>(s.group_size) == 0;
}

bool concerned(const arch::Module& m, const quant::Stored& s) {
  return s.group_size > 0 && quant::is_quantized(s.format) && row_parallel(m) &&
         m.shape.size() == 2;
}

/// Heads are never cut: key-value heads may be copied, the others must divide.
void check_heads(const RuleInput& in, const Emit& emit) {
  const auto ranks = static_cast<std::int64_t>(in.tensor_parallel);
  const config::TextConfig& t = in.config->text;

  struct Heads {
    std::string_view field;
    std::int64_t count;
  };

  for (const Heads& h : {Heads{"num_attention_heads", t.num_attention_heads},
                         Heads{"linear_num_key_heads", t.linear_num_key_heads},
                         Heads{"linear_num_value_heads", t.linear_num_value_heads}}) {
    if (h.count % ranks == 0) continue;
    Draft draft;
    draft.message = fmt::format("`{}` is {}, which {} ranks cannot share", h.field, h.count, ranks);
    draft.subject = std::string(h.field);
    draft.severity = results::Severity::error;
    draft.effects = {{"vllm", results::LoaderState::does_not_load, "AssertionError at start"},
                     {"sglang", results::LoaderState::does_not_load, "AssertionError at start"}};
    draft.fix = "serve on a number of GPUs that divides it";
    emit(std::move(draft));
  }
}

/// A named number of ranks: does it fit?
void check_named(const RuleInput& in, const Emit& emit) {
  check_heads(in, emit);
  std::vector<std::uint32_t> cut;
  for (std::uint32_t i = 0; i < in.stored->modules.size(); ++i) {
    const arch::Module& m = in.blueprint->modules()[i];
    const quant::Stored& s = in.stored->modules[i];
    if (concerned(m, s) && !whole_groups(m, s, in.tensor_parallel)) cut.push_back(i);
  }
  if (cut.empty()) return;
  const bool raises =
      in.config->quant && in.config->quant->method == config::QuantMethod::compressed_tensors;
  Draft draft;
  draft.message = fmt::format("{} modules have groups that lie across two of {} ranks",
                              with_commas(cut.size()), in.tensor_parallel);
  draft.subject = in.blueprint->modules()[cut[0]].name;
  draft.count = cut.size();
  draft.severity = raises ? results::Severity::error : results::Severity::warning;
  add_modules(in, cut, draft);
  draft.effects = {raises
                       ? results::Effect{"vllm", results::LoaderState::does_not_load,
                                         "ValueError: the input size is no multiple of the group"}
                       : results::Effect{"vllm", results::LoaderState::slow_path,
                                         "takes a slower kernel or copies the module"}};
  draft.fix = "serve on fewer GPUs, or quantize in smaller groups";
  emit(std::move(draft));
}

void run(const RuleInput& in, const Emit& emit) {
  if (in.stored == nullptr) return;
  if (in.tensor_parallel > 1) return check_named(in, emit);
  constexpr std::array<std::uint64_t, 3> kRanks{8, 4, 2};
  std::uint64_t sound = 8;
  std::int64_t reason = -1;
  for (std::uint32_t i = 0; i < in.stored->modules.size(); ++i) {
    const arch::Module& m = in.blueprint->modules()[i];
    const quant::Stored& s = in.stored->modules[i];
    if (!concerned(m, s)) continue;
    for (const std::uint64_t ranks : kRanks) {
      if (ranks > sound || whole_groups(m, s, ranks)) continue;
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

}  // namespace ldr002

extern const Rule kLDR002;
const Rule kLDR002{
    .code = "LDR002",
    .name = "tensor-parallel-limit",
    .severity = results::Severity::info,
    .what = "Up to 8 ranks, no quantization group lies across two ranks of tensor parallelism.",
    .why =
        "Row-parallel projections (o_proj, out_proj, down_proj) are cut along their inputs: "
        "when a rank's share is no multiple of the group size, compressed-tensors raises and "
        "the other paths become slow or replicate the module. With --tensor-parallel the "
        "number of GPUs is taken at its word: heads that it cannot share stop the engine.",
    .bad = "down_proj with 512 inputs and groups of 128 on 8 ranks",
    .good = "the same on 4 ranks",
    .fix = "serve on as many ranks as the message says, or quantize in smaller groups",
    .sources = "loaders 2.8, LD001",
    .run = ldr002::run,
};

}  // namespace ckpt::rules
