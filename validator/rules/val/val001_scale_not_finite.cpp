#include "validator/rules/places.h"

#include <fmt/format.h>

#include "validator/base/text.h"

namespace ckpt::rules {
namespace {

void run(const RuleInput& in, const Emit& emit) {
  for (const ValueFact& f : in.values->facts) {
    if (!(is_scale(in, f) && f.nan + f.inf > 0)) continue;
    const container::Tensor& t = in.checkpoint->tensors()[f.tensor];
    Draft draft;
    draft.message = fmt::format("{} NaN and {} infinite of {} scales, first at index {}", f.nan,
                                f.inf, with_commas(f.elements), f.first_bad);
    draft.subject = shown(t.name);
    draft.where.push_back(at_tensor(in, f.tensor));
    draft.effects = every_loader(results::LoaderState::wrong_output,
                                 "NaN or infinite output once this module is used");
    draft.fix = "quantize the module again";
    emit(std::move(draft));
  }
}

}  // namespace

extern const Rule kVAL001;
const Rule kVAL001{
    .code = "VAL001",
    .name = "scale-not-finite",
    .severity = results::Severity::error,
    .needs = Needs::values,
    .what = "Every quantization scale is finite.",
    .why =
        "One NaN scale makes every output NaN as soon as its module, or its expert, is "
        "used. No loader looks.",
    .bad = "a NaN in .scales",
    .good = "finite scales",
    .fix = "quantize the module again",
    .sources = "loaders NUM001, 3.1 (ran)",
    .run = run,
};

}  // namespace ckpt::rules
