#include <fmt/format.h>

#include <map>

#include "validator/base/text.h"
#include "validator/rules/val/base_facts.h"

namespace ckpt::rules {
namespace val022 {

constexpr std::size_t kLeastExperts = 6;
constexpr double kNone = 0.001;  // of values off the nearest code: plain rounding
constexpr double kTuned = 0.01;  // from here on a calibration has moved codes

struct Shares {
  std::vector<std::uint32_t> nearest;
  std::size_t tuned = 0;
};

void run(const RuleInput& in, const Emit& emit) {
  std::map<int, Shares> layers;
  for (const BaseFact& f : in.base->facts) {
    const arch::Module& m = in.blueprint->modules()[f.module];
    // From 5 bits on the rounding of a scale is as large as a code.
    const bool told = m.cls == arch::ModuleClass::routed_expert && f.packed && f.elements > 0 &&
                      in.stored->modules[f.module].bits <= 4 && f.beyond < f.elements / 4;
    if (!told) continue;
    const double share = static_cast<double>(f.off_nearest) / static_cast<double>(f.elements);
    if (share < kNone) layers[m.layer].nearest.push_back(f.module);
    if (share > kTuned) ++layers[m.layer].tuned;
  }
  std::vector<std::uint32_t> found;
  for (const auto& [layer, s] : layers) {
    // Where most are rounded plainly that was the method.
    if (s.tuned < kLeastExperts || s.nearest.size() > s.tuned) continue;
    found.insert(found.end(), s.nearest.begin(), s.nearest.end());
  }
  if (found.empty()) return;
  Draft draft;
  draft.message = fmt::format("{} expert linears are rounded to nearest, their siblings are tuned",
                              with_commas(found.size()));
  draft.subject = in.blueprint->modules()[found[0]].name;
  draft.count = found.size();
  add_modules(in, found, draft);
  draft.fix = "calibrate with more or other texts, so that every expert is reached";
  emit(std::move(draft));
}

}  // namespace val022

extern const Rule kVAL022;
const Rule kVAL022{
    .code = "VAL022",
    .name = "experts-rounded-without-calibration",
    .severity = results::Severity::info,
    .needs = Needs::base,
    .what = "The experts of a layer were all tuned by the calibration, or none was.",
    .why =
        "An expert that no calibration token reaches is rounded to the nearest code while its "
        "siblings are tuned: it is the least faithful expert of the layer for the texts that "
        "do reach it.",
    .bad =
        "2 of 256 experts with every code the nearest one, 254 with a tenth of the codes "
        "moved",
    .good = "all experts tuned alike",
    .fix = "calibrate with more or other texts",
    .sources = "loaders NUM011",
    .run = val022::run,
};

}  // namespace ckpt::rules
