#include "validator/rules/map/layers.h"

#include <algorithm>

namespace ckpt::rules {

std::set<int> layers_of_wrong_kind(const RuleInput& in) {
  std::set<int> layers;
  if (in.stored == nullptr) return layers;
  const auto& types = in.config->text.layer_types;
  for (const quant::Stranger& s : in.stored->strangers) {
    const int layer = s.placement.layer;
    if (layer < 0 || static_cast<std::size_t>(layer) >= types.size()) continue;
    const std::string_view name = in.checkpoint->tensors()[s.tensor].name;
    if (name.starts_with("mtp.")) continue;
    const bool full = types[static_cast<std::size_t>(layer)] == config::LayerType::full_attention;
    if (name.find(full ? ".linear_attn." : ".self_attn.") != std::string_view::npos) {
      layers.insert(layer);
    }
  }
  return layers;
}

std::map<int, std::uint64_t> layers_with_other_counts(const RuleInput& in) {
  std::map<int, std::uint64_t> odd;
  if (in.stored == nullptr || !in.config->text.moe || in.checkpoint->incomplete()) return odd;
  const auto want = static_cast<std::uint64_t>(in.config->text.num_experts);
  const std::map<int, std::uint64_t> found = experts_on_disk(in);
  const bool some = std::ranges::any_of(found, [want](const auto& f) { return f.second == want; });
  if (!some) return odd;
  std::ranges::copy_if(found, std::inserter(odd, odd.end()),
                       [want](const auto& f) { return f.second != want; });
  return odd;
}

}  // namespace ckpt::rules
