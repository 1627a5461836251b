#include <fmt/format.h>

#include "validator/base/text.h"
#include "validator/rules/places.h"

namespace ckpt::rules {
namespace map016 {

bool wrong(quant::Member member, Dtype dtype) {
  switch (member) {
    case quant::Member::qweight:
    case quant::Member::qzeros:
    case quant::Member::g_idx:
      return dtype != Dtype::i32;
    case quant::Member::weight_packed:
      return dtype != Dtype::i32 && dtype != Dtype::u8;
    case quant::Member::weight_shape:
      return dtype != Dtype::i64;
    default:
      return false;
  }
}

void run(const RuleInput& in, const Emit& emit) {
  if (in.stored == nullptr) return;
  Draft draft;
  draft.count = 0;
  for (const quant::Stored& s : in.stored->modules) {
    for (std::size_t k = 0; k < quant::kMembers; ++k) {
      if (s.tensor[k] < 0) continue;
      const auto at = static_cast<std::uint32_t>(s.tensor[k]);
      const container::Tensor& t = in.checkpoint->tensors()[at];
      if (!wrong(static_cast<quant::Member>(k), t.dtype)) continue;
      if (draft.count++ == 0) {
        draft.subject = shown(t.name);
        draft.message = fmt::format("`{}` is {}", shown(t.name, 60), dtype_name(t.dtype));
      }
      add_tensors(in, {at}, draft);
    }
  }
  if (draft.count == 0) return;
  if (draft.count > 1) draft.message += fmt::format(", and {} more", with_commas(draft.count - 1));
  draft.effects =
      every_loader(results::LoaderState::does_not_load, "the parameter has another type");
  draft.fix = "store words as I32 and `weight_shape` as I64";
  emit(std::move(draft));
}

}  // namespace map016

extern const Rule kMAP016;
const Rule kMAP016{
    .code = "MAP016",
    .name = "packed-dtype-wrong",
    .severity = results::Severity::error,
    .what = "Packed words and zero points are I32, `weight_shape` is I64 (4-bit floats: U8).",
    .why =
        "Loaders allocate these parameters with fixed types and copy by type: U32 or I64 words "
        "raise, or are converted value by value and lose their upper half.",
    .bad = ".qweight of dtype I64",
    .good = ".qweight of dtype I32",
    .fix = "store the words as I32",
    .sources = "formats 3.1, 5.2; loaders DT001",
    .run = map016::run,
};

}  // namespace ckpt::rules
