#include "validator/rules/places.h"

#include <fmt/format.h>

#include "validator/base/text.h"

namespace ckpt::rules {
namespace {

void run(const RuleInput& in, const Emit& emit) {
  for (const ValueFact& f : in.values->facts) {
    if (!(!is_scale(in, f) && f.nan + f.inf > 0)) continue;
    const container::Tensor& t = in.checkpoint->tensors()[f.tensor];
    Draft draft;
    draft.message = fmt::format("{} NaN and {} infinite of {} values, first at index {}", f.nan,
                                f.inf, with_commas(f.elements), f.first_bad);
    draft.subject = shown(t.name);
    draft.where.push_back(at_tensor(in, f.tensor));
    draft.effects = every_loader(results::LoaderState::wrong_output,
                                 "NaN or infinite output once this tensor is used");
    draft.fix = "copy the tensor from the base model";
    emit(std::move(draft));
  }
}

}  // namespace

extern const Rule kVAL002;
const Rule kVAL002{
    .code = "VAL002",
    .name = "weight-not-finite",
    .severity = results::Severity::error,
    .needs = Needs::values,
    .what = "Every stored float is finite.",
    .why =
        "A NaN or infinity spreads to all that follows. `A_log` of -inf means a decay of "
        "one for ever.",
    .bad = "a NaN in input_layernorm.weight",
    .good = "finite values",
    .fix = "copy the tensor from the base model",
    .sources = "loaders NUM002",
    .run = run,
};

}  // namespace ckpt::rules
