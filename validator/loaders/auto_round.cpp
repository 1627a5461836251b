// AutoRound's `extra_config` as a lookup, shared by the loaders that read it.

#include <algorithm>

#include "validator/loaders/internal.h"

namespace ckpt::loaders {
namespace {

std::vector<std::string> only_patterns(const std::vector<std::string>& keys,
                                       const std::vector<bool>& is_pattern,
                                       std::vector<int>& index) {
  std::vector<std::string> out;
  for (std::size_t i = 0; i < keys.size(); ++i) {
    if (!is_pattern[i]) continue;
    out.push_back(keys[i]);
    index.push_back(static_cast<int>(i));
  }
  return out;
}

}  // namespace

OverrideTable::OverrideTable(const config::QuantConfig& quant, std::vector<std::string> keys,
                             const std::vector<bool>& is_pattern, Anchor anchor)
    : q_(quant),
      keys_(std::move(keys)),
      patterns_(only_patterns(keys_, is_pattern, pattern_index_), anchor) {
  for (std::size_t i = 0; i < keys_.size(); ++i)
    sorted_.emplace_back(keys_[i], static_cast<int>(i));
  std::ranges::sort(sorted_);
}

int OverrideTable::exact(std::string_view name) const {
  const auto it =
      std::ranges::lower_bound(sorted_, name, {}, &std::pair<std::string_view, int>::first);
  // Of two keys that a name map made equal the later wins, as in a Python dict.
  int found = -1;
  for (auto at = it; at != sorted_.end() && at->first == name; ++at) found = at->second;
  return found;
}

int OverrideTable::pattern(std::string_view name) const {
  const int hit = patterns_.first_match(name);
  return hit < 0 ? -1 : pattern_index_[static_cast<std::size_t>(hit)];
}

int OverrideTable::suffix(std::string_view name) const {
  int best = -1;
  for (std::size_t dot = name.find('.'); dot != std::string_view::npos;
       dot = name.find('.', dot + 1)) {
    const int hit = exact(name.substr(dot + 1));
    if (hit >= 0 && (best < 0 || hit < best)) best = hit;
  }
  return best;
}

Decision OverrideTable::global() const {
  Decision d;
  d.bits = q_.bits.value_or(4);
  d.group_size = q_.group_size.value_or(128);
  d.sym = q_.sym.value_or(true);
  if (q_.group_pair.size() == 2) d.block = {q_.group_pair[0], q_.group_pair[1]};
  d.type = q_.data_type;
  d.format = q_.packing_format.empty() ? kAutoGptq : std::string_view(q_.packing_format);
  d.quantized = d.bits < 16;
  return d;
}

Decision OverrideTable::entry(int index) const {
  const config::Override& o = q_.overrides[static_cast<std::size_t>(index)];
  Decision d = global();
  d.bits = o.bits.value_or(d.bits);
  d.group_size = o.group_size.value_or(d.group_size);
  d.sym = o.sym.value_or(d.sym);
  if (o.data_type) d.type = *o.data_type;
  d.quantized = d.bits < 16;
  d.entry = index;
  return d;
}

}  // namespace ckpt::loaders
