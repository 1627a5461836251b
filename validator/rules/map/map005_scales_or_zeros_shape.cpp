#include "validator/rules/same_defect.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace ckpt::rules {
namespace map005 {

struct Wanted {
  quant::Member member = quant::Member::weight;
  std::array<std::uint64_t, 2> shape{};
};

/// FP8 blocks of the config: a scale for each, the last ones ragged.
std::array<Wanted, 2> block_scales(const RuleInput& in, const arch::Module& m,
                                   const quant::Stored& s) {
  const auto& q = in.config->quant;
  if (!q || q->method != config::QuantMethod::fp8 || q->weight_block_size.size() != 2) return {};
  const auto blocks = [](std::uint64_t size, std::int64_t block) {
    const auto b = static_cast<std::uint64_t>(std::max<std::int64_t>(block, 1));
    return (size + b - 1) / b;
  };
  const std::uint64_t rows = blocks(m.shape[0], q->weight_block_size[0]) * (s.joined ? 2 : 1);
  return {
      Wanted{quant::Member::weight_scale_inv, {rows, blocks(m.shape[1], q->weight_block_size[1])}}};
}

/// At most two; the rest say `weight`.
std::array<Wanted, 2> wanted(const RuleInput& in, const arch::Module& m, const quant::Stored& s) {
  if (m.shape.size() != 2) return {};
  if (s.format == quant::Format::fp8_block) return block_scales(in, m, s);
  if (s.groups == 0 || s.bits == 0) return {};
  const std::uint64_t n = m.shape[0] * (s.joined ? 2 : 1);
  const std::uint64_t zeros = (n * static_cast<std::uint64_t>(s.bits) + 31) / 32;
  switch (s.format) {
    case quant::Format::gptq:
    case quant::Format::awq:
      return {Wanted{quant::Member::scales, {s.groups, n}},
              Wanted{quant::Member::qzeros, {s.groups, zeros}}};
    case quant::Format::ct_packed:
      if (s.groups == 1) return {Wanted{quant::Member::weight_zero_point, {zeros, s.groups}}};
      return {Wanted{quant::Member::weight_scale, {n, s.groups}},
              Wanted{quant::Member::weight_zero_point, {zeros, s.groups}}};
    default:
      return {};
  }
}

void run(const RuleInput& in, const Emit& emit) {
  if (in.stored == nullptr) return;
  SameDefect found;
  for (std::uint32_t i = 0; i < in.stored->modules.size(); ++i) {
    const quant::Stored& s = in.stored->modules[i];
    const arch::Module& m = in.blueprint->modules()[i];
    if (m.cls == arch::ModuleClass::router || m.cls == arch::ModuleClass::shared_expert_gate)
      continue;
    for (const Wanted& w : wanted(in, m, s)) {
      if (w.member == quant::Member::weight || s.at(w.member) < 0) continue;
      const auto at = static_cast<std::uint32_t>(s.at(w.member));
      ShapeView have = in.checkpoint->tensors()[at].shape;
      if (s.spelling == arch::Spelling::stacked && have.size() == 3) have = have.subspan(1);
      if (have == ShapeView(w.shape)) continue;
      Draft draft;
      draft.message = fmt::format("`{}` is [{}], the other tensors of the module ask for [{}]",
                                  quant::member_name(w.member), fmt::join(have, ", "),
                                  fmt::join(w.shape, ", "));
      draft.subject = m.name;
      draft.where.push_back(at_tensor(in, at));
      draft.effects = {{"vllm", results::LoaderState::does_not_load, "the shapes do not fit"},
                       {"transformers", results::LoaderState::wrong_output,
                        "RuntimeError, or wrong zero points"},
                       {"sglang", results::LoaderState::does_not_load, "the shapes do not fit"}};
      draft.fix = "quantize the module again";
      found.add(std::move(draft));
    }
  }
  found.emit_all(emit);
}

}  // namespace map005

extern const Rule kMAP005;
const Rule kMAP005{
    .code = "MAP005",
    .name = "scales-or-zeros-shape",
    .severity = results::Severity::error,
    .what = "Scales are [G, N] and packed zeros [G, N*bits/32] (compressed-tensors: [N, G]).",
    .why =
        "A shape that does not fit belongs to another module or group size; loaders stop on"
        " it, or read zeros of the wrong columns.",
    .bad = ".qzeros [1, 4] beside .scales [2, 64] at 4 bits",
    .good = ".qzeros [2, 8] beside .scales [2, 64]",
    .fix = "quantize the module again",
    .sources = "formats 3.1, 5.2",
    .run = map005::run,
};

}  // namespace ckpt::rules
