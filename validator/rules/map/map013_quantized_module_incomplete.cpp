#include "validator/rules/places.h"

#include <fmt/format.h>

#include <map>

namespace ckpt::rules {
namespace map013 {

/// The tensor of scales that FP8 weights have: by blocks where the config gives their size.
quant::Member fp8_scales(const RuleInput& in) {
  const auto& q = in.config->quant;
  const bool blocks = q && q->method == config::QuantMethod::fp8 && !q->weight_block_size.empty();
  return blocks ? quant::Member::weight_scale_inv : quant::Member::weight_scale;
}

std::string problem(const RuleInput& in, const quant::Stored& s) {
  using quant::Member;
  if (s.both) return "has `.weight` and packed tensors";
  const auto lacks = [&s](Member m) { return s.at(m) < 0; };
  switch (s.format) {
    case quant::Format::gptq:
    case quant::Format::awq:
      if (lacks(Member::scales)) return "has no `.scales`";
      return lacks(Member::qzeros) ? "has no `.qzeros`" : "";
    case quant::Format::ct_packed:
      if (lacks(Member::weight_scale)) return "has no `.weight_scale`";
      return lacks(Member::weight_shape) ? "has no `.weight_shape`" : "";
    case quant::Format::fp8:
    case quant::Format::fp8_block:
      return lacks(fp8_scales(in)) ? fmt::format("has no `.{}`", quant::member_name(fp8_scales(in)))
                                   : "";
    case quant::Format::unknown:
      return "has no packed words or weight";
    default:
      return "";
  }
}

void run(const RuleInput& in, const Emit& emit) {
  if (in.stored == nullptr || in.checkpoint->incomplete()) return;
  std::map<std::string, Draft> by_problem;
  for (std::uint32_t i = 0; i < in.stored->modules.size(); ++i) {
    const std::string why = problem(in, in.stored->modules[i]);
    if (why.empty()) continue;
    Draft& draft = by_problem[why];
    if (draft.where.empty()) {
      draft.count = 0;
      draft.subject = in.blueprint->modules()[i].name;
    }
    ++draft.count;
    add_place(draft, at_module(in, i));
  }
  for (auto& [why, draft] : by_problem) {
    draft.message = fmt::format("`{}` {}", draft.subject, why);
    draft.effects = {
        {"vllm", results::LoaderState::wrong_weights,
         "the missing part stays uninitialised, or the extra one is refused"},
        {"transformers", results::LoaderState::wrong_weights,
         "the missing part stays uninitialised"},
        {"sglang", results::LoaderState::wrong_weights, "the missing part stays uninitialised"}};
    draft.fix = "quantize the module again";
    emit(std::move(draft));
  }
}

}  // namespace map013

extern const Rule kMAP013;
const Rule kMAP013{
    .code = "MAP013",
    .name = "quantized-module-incomplete",
    .severity = results::Severity::error,
    .what =
        "A packed module has all its parts (words, scales, zeros), and no `.weight` beside "
        "them.",
    .why =
        "A missing scale is left uninitialised; with both `.weight` and `.qweight` one of "
        "them is an unknown name and loading stops.",
    .bad = ".qweight without .scales",
    .good = ".qweight, .qzeros and .scales",
    .fix = "quantize the module again",
    .sources = "loaders NM009; formats 3.1, 5.2",
    .run = map013::run,
};

}  // namespace ckpt::rules
