#include "validator/rules/same_defect.h"

#include <fmt/format.h>

namespace ckpt::rules {
namespace map004 {

bool fits(const arch::Module& m, const quant::Stored& s, ShapeView words) {
  if (m.shape.size() != 2 || words.size() < 2 || s.bits == 0) return false;
  const std::uint64_t n = m.shape[0] * (s.joined ? 2 : 1);
  const std::uint64_t k = m.shape[1];
  const std::uint64_t a = words[words.size() - 2];
  const std::uint64_t b = words[words.size() - 1];
  const auto bits = static_cast<std::uint64_t>(s.bits);
  switch (s.format) {
    case quant::Format::gptq:
      return a * 32 == k * bits && b == n;
    case quant::Format::awq:
      return a == k && b * 8 == n;
    case quant::Format::ct_packed:
      return a == n && b == (k * bits + 31) / 32;
    default:
      return true;
  }
}

void run(const RuleInput& in, const Emit& emit) {
  if (in.stored == nullptr) return;
  SameDefect found;
  for (std::uint32_t i = 0; i < in.stored->modules.size(); ++i) {
    const quant::Stored& s = in.stored->modules[i];
    const arch::ModuleClass cls = in.blueprint->modules()[i].cls;
    // Modules that must not be packed at all have findings that say so.
    if (cls == arch::ModuleClass::router || cls == arch::ModuleClass::shared_expert_gate) continue;
    const bool gptq = s.format == quant::Format::gptq || s.format == quant::Format::awq;
    const std::int32_t at = s.at(gptq ? quant::Member::qweight : quant::Member::weight_packed);
    if (at < 0) continue;
    const container::Tensor& t = in.checkpoint->tensors()[static_cast<std::size_t>(at)];
    const arch::Module& m = in.blueprint->modules()[i];
    if (fits(m, s, t.shape)) continue;
    Draft draft;
    draft.message = fmt::format("packed words [{}] do not hold a [{}] module",
                                fmt::join(t.shape, ", "), fmt::join(m.shape, ", "));
    draft.subject = m.name;
    draft.where.push_back(at_tensor(in, static_cast<std::uint32_t>(at)));
    draft.effects = {
        {"vllm", results::LoaderState::does_not_load, "the shapes do not fit"},
        {"transformers", results::LoaderState::wrong_output, "RuntimeError in the forward pass"}};
    draft.fix = "quantize the module again";
    found.add(std::move(draft));
  }
  found.emit_all(emit);
}

}  // namespace map004

extern const Rule kMAP004;
const Rule kMAP004{
    .code = "MAP004",
    .name = "packed-shape-impossible",
    .severity = results::Severity::error,
    .what = "Packed words hold exactly the weights of their module.",
    .why =
        "GPTQ words have K*bits/32 rows and N columns, compressed-tensors words N rows. "
        "Anything else is another module, another width, or a damaged tensor; loaders stop "
        "on the shape or fail in the forward pass.",
    .bad = ".qweight [8, 2048] for a [2048, 2048] module at 4 bits",
    .good = ".qweight [256, 2048]",
    .fix = "quantize the module again",
    .sources = "formats 3.1, 5.2; loaders, section 1",
    .run = map004::run,
};

}  // namespace ckpt::rules
