#include "validator/rules/places.h"

#include <fmt/format.h>

#include "validator/base/text.h"

namespace ckpt::rules {
namespace {

void run(const RuleInput& in, const Emit& emit) {
  for (const ValueFact& f : in.values->facts) {
    if (!(f.g_idx_out_of_range)) continue;
    const container::Tensor& t = in.checkpoint->tensors()[f.tensor];
    Draft draft;
    draft.message = std::string("`g_idx` names groups that do not exist");
    draft.subject = shown(t.name);
    draft.where.push_back(at_tensor(in, f.tensor));
    draft.effects = every_loader(results::LoaderState::wrong_output, "reads outside the scales");
    draft.fix = "quantize the module again";
    emit(std::move(draft));
  }
}

}  // namespace

extern const Rule kVAL005;
const Rule kVAL005{
    .code = "VAL005",
    .name = "group-index-out-of-range",
    .severity = results::Severity::error,
    .needs = Needs::values,
    .what = "Each entry of `g_idx` is a group that exists.",
    .why = "It is an index into memory: a kernel that does not check reads outside the scales.",
    .bad = "g_idx[5] = 400 with 4 groups",
    .good = "0 to groups - 1",
    .fix = "quantize the module again",
    .sources = "formats 3.5; hostile-inputs 4.11",
    .run = run,
};

}  // namespace ckpt::rules
