// SGLang 0.5.23: quantization/auto_round (loaders page, section 4).

#include <fmt/format.h>

#include <algorithm>

#include "validator/loaders/internal.h"

namespace ckpt::loaders {
namespace {

constexpr std::int64_t kWidths[] = {2, 3, 4, 8};

bool known_width(std::int64_t bits) {
  return std::ranges::find(kWidths, bits) != std::end(kWidths);
}

std::string refusal(const config::QuantConfig& q) {
  if (!q.bits || !q.sym || (!q.group_size && q.group_pair.empty())) {
    return "ValueError: bits, group_size and sym must be in the quantization config";
  }
  if (!known_width(*q.bits)) return fmt::format("ValueError: Unsupported weight_bits: {}", *q.bits);
  if (q.data_type != "int") {
    return fmt::format("ValueError: Unsupported data_type: {}", q.data_type);
  }
  const std::string& packing = q.packing_format;
  if (!packing.empty() && packing != kAutoGptq && packing != kAutoAwq) {
    return fmt::format("ValueError: Unsupported packing_format: {}", packing);
  }
  constexpr std::string_view kBackends[] = {"",    "auto",       "gptq",  "gptq:marlin",
                                            "awq", "awq:marlin", "marlin"};
  if (std::ranges::find(kBackends, q.backend) == std::end(kBackends)) {
    return fmt::format("ValueError: Unsupported backend: {}", q.backend);
  }
  return {};
}

std::vector<std::string> own_keys(const config::QuantConfig& q) {
  std::vector<std::string> keys;
  for (const config::Override& o : q.overrides) keys.push_back(o.key);
  return keys;
}

std::vector<bool> regex_keys(const config::QuantConfig& q) {
  std::vector<bool> out;
  for (const config::Override& o : q.overrides) out.push_back(looks_like_regex(o.key));
  return out;
}

/// The per-module decision of AutoRoundConfig.get_layer_config.
class Resolver {
 public:
  Resolver(const config::QuantConfig& q, config::ModelClass cls)
      : q_(q),
        table_(q, own_keys(q), regex_keys(q), Anchor::full),
        // Only the text class hands its packed-module map to the config object.
        fused_known_(cls == config::ModelClass::causal_lm) {
    for (std::size_t i = 0; i < q.overrides.size(); ++i) {
      by_name_.emplace_back(q.overrides[i].key, static_cast<int>(i));
    }
    std::ranges::sort(by_name_);
    awq_ = q.packing_format == kAutoAwq && q.backend.find("gptq") == std::string::npos;
  }

  [[nodiscard]] Decision resolve(const std::string& name, const EngineModule& e) const {
    if (const int at = table_.exact(name); at >= 0) return kernel(table_.entry(at), e);
    if (q_.blocks_nested) {
      return raises("TypeError", "startswith first arg must be str or a tuple of str, not list");
    }
    const bool quantized = in_blocks(name, is_head(e));
    if (is_experts(e)) {
      if (auto d = experts(name, quantized)) return kernel(*std::move(d), e);
    }
    if (fused_known_ && !q_.overrides.empty()) {
      if (auto d = fused(name, quantized)) return kernel(*std::move(d), e);
    }
    return kernel(plain(name, quantized), e);
  }

 private:
  const config::QuantConfig& q_;
  OverrideTable table_;
  bool fused_known_ = false;
  bool awq_ = false;
  std::vector<std::pair<std::string_view, int>> by_name_;

  bool in_blocks(const std::string& name, bool head) const {
    // An empty list counts as absent; an empty string begins every name, the head's too.
    if (q_.blocks_given && !q_.blocks_is_list && q_.blocks_text.empty()) return true;
    if (q_.blocks.empty()) return !head;
    return std::ranges::any_of(
        q_.blocks, [&name](const config::Pattern& b) { return name.starts_with(b.text); });
  }

  Decision outside() const {
    Decision d = table_.global();
    d.quantized = false;
    d.bits = 16;
    d.group_size = -1;
    d.sym = true;
    return d;
  }

  /// An entry, with what it lacks from the global scheme or, outside the blocks, from 16 bits.
  Decision entry(int at, bool quantized) const {
    if (quantized) return table_.entry(at);
    Decision d = outside();
    const config::Override& o = q_.overrides[static_cast<std::size_t>(at)];
    d.bits = o.bits.value_or(d.bits);
    d.group_size = o.group_size.value_or(d.group_size);
    d.sym = o.sym.value_or(d.sym);
    d.quantized = d.bits < 16;
    d.entry = at;
    return d;
  }

  Decision plain(const std::string& name, bool quantized) const {
    int at = table_.exact(name);
    if (at < 0) at = table_.pattern(name);
    if (at >= 0) return entry(at, quantized);
    return quantized ? table_.global() : outside();
  }

  static bool alike(const Decision& a, const Decision& b) {
    return a.bits == b.bits && a.group_size == b.group_size && a.sym == b.sym;
  }

  /// All keys that begin with the name of the block must agree, and then set it.
  std::optional<Decision> experts(const std::string& name, bool quantized) const {
    std::optional<Decision> found;
    auto it = std::ranges::lower_bound(by_name_, std::string_view(name), {},
                                       &std::pair<std::string_view, int>::first);
    for (; it != by_name_.end() && it->first.starts_with(name); ++it) {
      Decision d = entry(it->second, quantized);
      if (found && !alike(*found, d)) {
        return raises("ValueError", fmt::format("Fused MoE layer '{}' requires consistent quant "
                                                "config for all sub-layers",
                                                name));
      }
      if (!found) found = std::move(d);
    }
    return found;
  }

  std::optional<Decision> fused(const std::string& name, bool quantized) const {
    const std::vector<std::string> members = member_names(name);
    if (members.empty()) return std::nullopt;
    Decision first = plain(members[0], quantized);
    for (const std::string& m : members) {
      if (alike(plain(m, quantized), first)) continue;
      return raises("ValueError",
                    fmt::format("Fused module '{}' requires consistent quant config", name));
    }
    return first;
  }

  /// What the kernel that takes this width then says.
  [[nodiscard]] Decision kernel(Decision d, const EngineModule& e) const {
    if (!d.quantized || d.raises()) return d;
    if (awq_ && d.bits != 4) {
      return raises("ValueError", fmt::format("Currently, only 4-bit weight quantization is "
                                              "supported for AWQ, but got {} bits.",
                                              d.bits));
    }
    if (!awq_ && !is_experts(e) && !known_width(d.bits)) {
      return raises("ValueError", fmt::format("Currently, only 2/3/4/8-bit weight quantization is "
                                              "supported for GPTQ, but got {} bits.",
                                              d.bits));
    }
    return d;
  }
};

}  // namespace

void plan_sglang_auto_round(const PlanArgs& args) {
  args.plan.refused = refusal(args.quant());
  const Resolver resolver(args.quant(), args.config.model_class);
  plan_engine_modules(args, sglang_modules(args.blueprint), NameMap::none(),
                      [&resolver](const std::string& name, const EngineModule& e) {
                        return resolver.resolve(name, e);
                      });
}

}  // namespace ckpt::loaders
