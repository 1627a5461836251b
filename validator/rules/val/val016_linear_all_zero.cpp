#include <fmt/format.h>

#include "validator/base/text.h"
#include "validator/rules/val/facts.h"

namespace ckpt::rules {
namespace val016 {

void run(const RuleInput& in, const Emit& emit) {
  if (in.stored == nullptr) return;
  std::vector<bool> linear(in.checkpoint->tensors().size());
  for (std::uint32_t i = 0; i < in.stored->modules.size(); ++i) {
    const std::int32_t t = in.stored->modules[i].at(quant::Member::weight);
    if (t >= 0 && in.blueprint->modules()[i].linear) linear[static_cast<std::size_t>(t)] = true;
  }
  report_facts(in, emit,
               {.wrong =
                    [&linear](const ValueFact& f) {
                      return linear[f.tensor] && f.elements > 0 && f.zero == f.elements;
                    },
                .message =
                    [](const ValueFact& f) {
                      return fmt::format("all {} weights are zero", with_commas(f.elements));
                    },
                .effects = {{"all", results::LoaderState::wrong_output, "the module adds nothing"}},
                .fix = "copy the tensor from the base model"});
}

}  // namespace val016

extern const Rule kVAL016;
const Rule kVAL016{
    .code = "VAL016",
    .name = "linear-all-zero",
    .severity = results::Severity::warning,
    .needs = Needs::values,
    .what = "No unquantized linear is all zeros.",
    .why =
        "It computes nothing: a tensor that was allocated and never filled, or a sparse hole "
        "left by an interrupted copy.",
    .bad = "linear_attn.out_proj.weight of zeros",
    .good = "trained weights",
    .fix = "copy the tensor from the base model",
    .sources = "loaders NUM007; hostile-inputs, section 4",
    .run = val016::run,
};

}  // namespace ckpt::rules
