#include <fmt/format.h>

#include "validator/base/text.h"
#include "validator/rules/places.h"

namespace ckpt::rules {
namespace stf017 {

void run(const RuleInput& in, const Emit& emit) {
  Draft draft;
  draft.count = 0;
  const auto& tensors = in.checkpoint->tensors();
  for (std::uint32_t i = 0; i < tensors.size(); ++i) {
    const Dtype d = tensors[i].dtype;
    if (d != Dtype::f4 && d != Dtype::f6_e2m3 && d != Dtype::f6_e3m2) continue;
    if (draft.count++ == 0) {
      draft.subject = shown(tensors[i].name);
      draft.message = fmt::format("`{}` is {}, which no loader maps", shown(tensors[i].name, 50),
                                  dtype_name(d));
    }
    add_tensors(in, {i}, draft);
  }
  if (draft.count == 0) return;
  draft.effects = every_loader(results::LoaderState::does_not_load, "no torch type for this dtype");
  draft.fix = "store the codes as U8, two to a byte";
  emit(std::move(draft));
}

}  // namespace stf017

extern const Rule kSTF017;
const Rule kSTF017{
    .code = "STF017",
    .name = "dtype-without-loader",
    .severity = results::Severity::warning,
    .what = "No tensor has a dtype that no loader maps (F4, F6_E2M3, F6_E3M2).",
    .why =
        "The container format allows them, torch has no such type: every loader stops. Writers "
        "of 4-bit floats store them as U8, two to a byte.",
    .bad = "\"dtype\": \"F4\"",
    .good = "\"dtype\": \"U8\" with half the columns",
    .fix = "store the codes as U8",
    .sources = "formats 1.2; loaders ST009",
    .run = stf017::run,
};

}  // namespace ckpt::rules
