#include "validator/rules/same_defect.h"

#include <fmt/format.h>

#include <set>

#include "validator/base/text.h"

namespace ckpt::rules {
namespace map003 {

Shape wanted(const RuleInput& in, const arch::Module& m, const quant::Stored& s) {
  if (s.spelling == arch::Spelling::plain || s.spelling == arch::Spelling::per_expert)
    return m.shape;
  Shape shape = m.shape;
  if (s.joined) shape[0] *= 2;
  if (s.spelling == arch::Spelling::stacked) {
    shape.insert(shape.begin(), static_cast<std::uint64_t>(in.config->text.num_experts));
  }
  return shape;
}

void run(const RuleInput& in, const Emit& emit) {
  if (in.stored == nullptr) return;
  SameDefect found;
  std::uint64_t on_disk = 0;
  const bool counts_differ = expert_count_differs(in, on_disk);
  std::set<std::int32_t> seen;
  for (std::uint32_t i = 0; i < in.stored->modules.size(); ++i) {
    const arch::Module& m = in.blueprint->modules()[i];
    const quant::Stored& s = in.stored->modules[i];
    const std::int32_t at = s.at(quant::Member::weight);
    if (s.format != quant::Format::plain || !seen.insert(at).second) continue;
    if (counts_differ &&
        (m.cls == arch::ModuleClass::router || m.cls == arch::ModuleClass::routed_expert))
      continue;
    const container::Tensor& t = in.checkpoint->tensors()[static_cast<std::size_t>(at)];
    const Shape want = wanted(in, m, s);
    if (t.shape == want) continue;
    Draft draft;
    draft.message = fmt::format("shape [{}], the config gives [{}]", fmt::join(t.shape, ", "),
                                fmt::join(want, ", "));
    draft.subject = shown(t.name);
    draft.where.push_back(at_module(in, i));
    draft.effects = {
        {"vllm", results::LoaderState::does_not_load, "the shapes do not fit"},
        {"transformers", results::LoaderState::wrong_output, "refuses it, or takes it as it is"},
        {"sglang", results::LoaderState::does_not_load, "the shapes do not fit"}};
    draft.fix = "correct the config, or store the tensor with the shape the architecture asks for";
    found.add(std::move(draft));
  }
  found.emit_all(emit);
}

}  // namespace map003

extern const Rule kMAP003;
const Rule kMAP003{
    .code = "MAP003",
    .name = "shape-mismatch",
    .severity = results::Severity::error,
    .what = "Each unquantized tensor has the shape the config gives.",
    .why =
        "vLLM stops on the shape. transformers reports size mismatches only for unquantized"
        " repos; in an AutoRound or compressed-tensors repo the wrong tensor replaces the "
        "parameter without a word.",
    .bad = "mlp.gate.weight [333, 4096] with num_experts 332",
    .good = "mlp.gate.weight [num_experts, hidden_size]",
    .fix = "correct the config, or take the tensor from the base model",
    .sources = "loaders, section 1; golden loads",
    .run = map003::run,
};

}  // namespace ckpt::rules
