#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <map>

#include "validator/rules/shared_runs.h"

namespace ckpt::rules {
namespace qnt034 {

void run(const RuleInput& in, const Emit& emit) {
  if (in.stored == nullptr) return;
  std::map<int, std::pair<int, std::uint32_t>> lowest;  // layer -> bits, module
  for (std::uint32_t i = 0; i < in.stored->modules.size(); ++i) {
    const arch::Module& m = in.blueprint->modules()[i];
    const quant::Stored& s = in.stored->modules[i];
    if (m.layer < 0 || m.cls == arch::ModuleClass::vision || m.cls == arch::ModuleClass::mtp)
      continue;
    if (!quant::is_quantized(s.format) || s.bits == 0) continue;
    const auto [it, fresh] = lowest.try_emplace(m.layer, s.bits, i);
    if (!fresh && s.bits < it->second.first) it->second = {s.bits, i};
  }
  const int last = static_cast<int>(in.config->text.num_hidden_layers) - 1;
  int middle = std::numeric_limits<int>::max();
  for (const auto& [layer, low] : lowest) {
    if (layer != 0 && layer != last) middle = std::min(middle, low.first);
  }
  for (const int end : {0, last}) {
    const auto it = lowest.find(end);
    if (it == lowest.end() || middle == std::numeric_limits<int>::max() ||
        it->second.first >= middle)
      continue;
    Draft draft;
    draft.message = fmt::format("layer {} goes down to {} bits, the layers between to {}", end,
                                it->second.first, middle);
    draft.subject = in.blueprint->modules()[it->second.second].name;
    add_modules(in, {it->second.second}, draft);
    draft.fix = "keep it as wide as the rest, or measure the cost with `ckpt-check kl`";
    emit(std::move(draft));
  }
}

}  // namespace qnt034

extern const Rule kQNT034;
const Rule kQNT034{
    .code = "QNT034",
    .name = "boundary-layer-lowest",
    .severity = results::Severity::info,
    .what = "The first and the last layer are not stored in fewer bits than the layers between.",
    .why =
        "Their weights have the largest outliers, and what they lose nothing later repairs; "
        "recipes keep them wider, not narrower.",
    .bad = "layer 39 at 2 bits, layers 0 to 38 at 4",
    .good = "the same width throughout, or wider at the ends",
    .fix = "quantize the first and last layers no lower than the rest, or measure with `kl`",
    .sources = "card 004; loaders QC031",
    .run = qnt034::run,
};

}  // namespace ckpt::rules
