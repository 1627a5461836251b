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
  for (std::size_t i = 0; i < keys_.size(); ++i) {
    // Of two keys that a name map made equal the later wins, as in a Python dict.
    exact_[keys_[i]] = static_cast<int>(i);
    shortest_ = i == 0 ? keys_[i].size() : std::min(shortest_, keys_[i].size());
    longest_ = std::max(longest_, keys_[i].size());
  }
}

int OverrideTable::exact(std::string_view name) const {
  if (name.size() < shortest_ || name.size() > longest_) return -1;
  const auto it = exact_.find(name);
  return it == exact_.end() ? -1 : it->second;
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
