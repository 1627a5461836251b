#include "validator/rules/places.h"

#include <fmt/format.h>

#include <array>
#include <set>

#include "validator/base/text.h"

namespace ckpt::rules {
namespace qnt020 {

void run(const RuleInput& in, const Emit& emit) {
  if (in.stored == nullptr) return;
  std::vector<std::uint32_t> odd;
  std::set<int> layers;
  for (const arch::ExpertBlock& b : in.blueprint->expert_blocks()) {
    const auto& modules = in.blueprint->modules();
    std::array<const quant::Stored*, 3> first{};
    for (std::uint32_t i = b.first;
         i < modules.size() && modules[i].expert >= 0 && modules[i].layer == b.layer; ++i) {
      const quant::Stored& s = in.stored->modules[i];
      if (s.format == quant::Format::absent) continue;
      // A damaged module has findings of its own.
      if (quant::is_quantized(s.format) && (s.bits == 0 || s.groups == 0)) continue;
      const quant::Stored*& f = first[static_cast<std::size_t>(modules[i].part)];
      if (f == nullptr) f = &s;
      if (s.bits == f->bits && s.groups == f->groups && s.format == f->format) continue;
      odd.push_back(i);
      layers.insert(b.layer);
    }
  }
  if (odd.empty()) return;
  Draft draft;
  draft.message = fmt::format("{} expert linears differ in scheme from their layer, in {} layers",
                              with_commas(odd.size()), layers.size());
  draft.subject = in.blueprint->modules()[odd[0]].name;
  draft.count = odd.size();
  add_modules(in, odd, draft);
  draft.effects = {{"vllm", results::LoaderState::does_not_load,
                    "expert 0 decides for the layer; the others do not fit"},
                   {"transformers", results::LoaderState::does_not_load,
                    "one scheme for all experts; the conversion raises"}};
  draft.fix = "quantize all experts of a layer alike";
  emit(std::move(draft));
}

}  // namespace qnt020

extern const Rule kQNT020;
const Rule kQNT020{
    .code = "QNT020",
    .name = "experts-of-one-layer-differ",
    .severity = results::Severity::error,
    .what = "All routed experts of one layer have the same width and group size.",
    .why =
        "vLLM lets expert 0 decide for the whole layer: wider experts fail, narrower ones "
        "leave part of the parameter uninitialised. SGLang re-types the whole layer or "
        "raises; transformers uses one scheme for all layers.",
    .bad = "super-experts at 8 bits beside 4-bit experts",
    .good = "the whole layer at 8 bits",
    .fix = "give all experts of a layer one scheme",
    .sources = "card 004; loaders 2.5, 2.7, 3.2 (ran)",
    .run = qnt020::run,
};

}  // namespace ckpt::rules
