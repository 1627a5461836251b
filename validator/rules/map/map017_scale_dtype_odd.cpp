#include <fmt/format.h>

#include <array>

#include "validator/base/text.h"
#include "validator/rules/places.h"

namespace ckpt::rules {
namespace map017 {

void run(const RuleInput& in, const Emit& emit) {
  if (in.stored == nullptr) return;
  std::int64_t first = -1;
  Draft draft;
  draft.count = 0;
  for (const quant::Stored& s : in.stored->modules) {
    const bool integer = s.format == quant::Format::gptq || s.format == quant::Format::awq ||
                         s.format == quant::Format::ct_packed || s.format == quant::Format::ct_int;
    const std::int32_t at = s.at(quant::Member::scales) >= 0 ? s.at(quant::Member::scales)
                                                             : s.at(quant::Member::weight_scale);
    if (!integer || at < 0) continue;
    const container::Tensor& t = in.checkpoint->tensors()[static_cast<std::size_t>(at)];
    if (first < 0) first = at;
    const Dtype usual = in.checkpoint->tensors()[static_cast<std::size_t>(first)].dtype;
    const bool known = t.dtype == Dtype::f16 || t.dtype == Dtype::bf16 || t.dtype == Dtype::f32;
    if (known && t.dtype == usual) continue;
    if (draft.count++ == 0) {
      draft.subject = shown(t.name);
      draft.message =
          known ? fmt::format("scales in {} and in {}", dtype_name(usual), dtype_name(t.dtype))
                : fmt::format("scales in {}", dtype_name(t.dtype));
    }
    add_tensors(in, {static_cast<std::uint32_t>(at)}, draft);
  }
  if (draft.count == 0) return;
  draft.fix = "convert the scales to one of F16, BF16, F32";
  emit(std::move(draft));
}

}  // namespace map017

extern const Rule kMAP017;
const Rule kMAP017{
    .code = "MAP017",
    .name = "scale-dtype-odd",
    .severity = results::Severity::warning,
    .what = "All scales of integer formats have one dtype, F16, BF16 or F32.",
    .why =
        "Kernels convert the scales to the model's type: F64 and integers are not known to "
        "them, and two types in one model point at two tools, or at layers copied from another "
        "file.",
    .bad = ".scales in F64, or F16 in one layer and F32 in the next",
    .good = "F16 scales throughout",
    .fix = "convert the scales to one type",
    .sources = "formats 3.1, 5.2; loaders DT002",
    .run = map017::run,
};

}  // namespace ckpt::rules
