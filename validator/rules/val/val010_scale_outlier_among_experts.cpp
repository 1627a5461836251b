#include <fmt/format.h>

#include "validator/base/text.h"
#include "validator/rules/val/facts.h"

namespace ckpt::rules {
namespace val010 {

void run(const RuleInput& in, const Emit& emit) {
  if (in.stored == nullptr) return;
  std::vector<bool> odd(in.checkpoint->tensors().size());
  std::size_t found = 0;
  for (const arch::ExpertBlock& b : in.blueprint->expert_blocks()) {
    std::vector<Sibling> parts[3];
    const auto& modules = in.blueprint->modules();
    for (std::uint32_t i = b.first;
         i < modules.size() && modules[i].expert >= 0 && modules[i].layer == b.layer; ++i) {
      if (const auto s = scale_level(in, i))
        parts[static_cast<std::size_t>(modules[i].part)].push_back(*s);
    }
    for (std::vector<Sibling>& part : parts) {
      for (const Sibling& s : outliers(std::move(part), 8)) {
        odd[s.tensor] = true;
        ++found;
      }
    }
  }
  if (found == 0) return;
  report_facts(in, emit,
               {.wrong = [&odd](const ValueFact& f) { return odd[f.tensor]; },
                .message =
                    [](const ValueFact& f) {
                      return fmt::format("scales of mean size {:.3g}, far from the other experts'",
                                         f.sum_of_magnitudes / static_cast<double>(f.elements));
                    },
                .effects = {{"all", results::LoaderState::wrong_output,
                             "this expert is likely wrong whenever it is routed to"}},
                .fix = "compare the expert with the base model; quantize it again"});
}

}  // namespace val010

extern const Rule kVAL010;
const Rule kVAL010{
    .code = "VAL010",
    .name = "scale-outlier-among-experts",
    .severity = results::Severity::warning,
    .needs = Needs::values,
    .what =
        "The scales of each expert projection are of the size of its siblings' in the same "
        "layer.",
    .why =
        "An expert whose scales are eight times larger or smaller than those of its siblings "
        "(and more than 20 robust deviations away) was quantized from other data, scaled twice,"
        " or copied from another layer.",
    .bad = "experts.3.up_proj.scales of 0.5 where 255 siblings have 0.004",
    .good = "mean magnitudes within a factor of 3",
    .fix = "quantize the expert again, or compare it with the base model",
    .sources = "loaders NUM005",
    .run = val010::run,
};

}  // namespace ckpt::rules
