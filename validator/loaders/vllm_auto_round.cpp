// vLLM 0.33: quantization/inc (AutoRound; loaders page, 2.3).

#include <fmt/format.h>

#include <algorithm>

#include "validator/loaders/internal.h"

namespace ckpt::loaders {
namespace {

std::vector<std::string> mapped_keys(const config::QuantConfig& q, const NameMap& names) {
  std::vector<std::string> keys;
  for (const config::Override& o : q.overrides) keys.push_back(names.text(o.key));
  return keys;
}

std::vector<bool> regex_keys(const std::vector<std::string>& keys) {
  std::vector<bool> out;
  for (const std::string& k : keys) out.push_back(looks_like_regex(k));
  return out;
}

/// The per-module decision of inc/config_parser.py.
class IncResolver {
 public:
  IncResolver(const config::QuantConfig& q, const NameMap& names)
      : q_(q), table_(q, mapped_keys(q, names), regex_keys(mapped_keys(q, names)), Anchor::search) {
    for (const config::Pattern& b : q.blocks) blocks_.push_back(names.text(b.text));
    // An empty string counts as absent: everything, head and vision included.
    all_ = !q.blocks_given || (!q.blocks_is_list && q.blocks_text.empty());
    empty_string_ = q.blocks_given && all_;
  }

  [[nodiscard]] Decision resolve(const std::string& name, const EngineModule& e) const {
    if (Decision d; unquantized_exactly(name, d)) return d;
    if (const int at = table_.exact(name); at >= 0) return check(table_.entry(at), is_experts(e));
    if (const int at = table_.suffix(name); at >= 0) return check(table_.entry(at), is_experts(e));
    const bool quantized = in_blocks(name, is_head(e));
    if (Decision d; fused(name, quantized, d)) return check(std::move(d), is_experts(e));
    return check(plain(name, quantized), is_experts(e));
  }

 private:
  const config::QuantConfig& q_;
  OverrideTable table_;
  std::vector<std::string> blocks_;
  bool all_ = true;
  bool empty_string_ = false;

  bool unquantized_exactly(const std::string& name, Decision& out) const {
    int e = table_.exact(name);
    if (e < 0) e = table_.exact("model." + name);
    if (e < 0) return false;
    // An exact entry without "bits" means 16 here.
    if (q_.overrides[static_cast<std::size_t>(e)].bits.value_or(16) < 16) return false;
    out = Decision{};
    out.entry = e;
    return true;
  }

  bool in_blocks(const std::string& name, bool is_head) const {
    if (empty_string_) return true;
    if (all_) return !is_head;
    for (const std::string& b : blocks_) {
      if (name.starts_with(b)) return true;
    }
    return false;
  }

  Decision plain(const std::string& name, bool quantized) const {
    if (const int e = table_.exact(name); e >= 0) return table_.entry(e);
    if (const int e = table_.pattern(name); e >= 0) return table_.entry(e);
    return quantized ? table_.global() : Decision{};
  }

  bool fused(const std::string& name, bool quantized, Decision& out) const {
    const std::vector<std::string> members = member_names(name);
    bool any = false;
    for (const std::string& m : members) {
      any = any || table_.exact(m) >= 0 || table_.pattern(m) >= 0;
    }
    if (!any) return false;
    out = plain(members[0], quantized);
    for (const std::string& m : members) {
      const Decision d = plain(m, quantized);
      if (d.bits == out.bits && d.group_size == out.group_size && d.sym == out.sym) continue;
      // Two 16-bit members may still name different groups; the engine compares all three.
      out = raises("ValueError",
                   fmt::format("Fused module '{}' requires consistent quant config", name));
      return true;
    }
    return true;
  }

  /// What the chosen kernel then says (loaders page, 2.3 and 2.8).
  [[nodiscard]] Decision check(Decision d, bool experts) const {
    if (!d.quantized || d.raises()) return d;
    if (q_.data_type == "fp") {
      if (!experts) return d;
      return raises("NotImplementedError", "INCFp8Scheme does not support MoE layers.");
    }
    const bool humming = d.bits != 4 && d.bits != 8;
    if (q_.packing_format == kAutoAwq) {
      if (d.bits == 4) return d;
      return raises("ValueError", fmt::format("Unsupported num_bits = {}", d.bits));
    }
    if (!humming && !experts && (!d.sym || !marlin_group(d.group_size))) {
      return raises("NotImplementedError",
                    "Only 4-bit and 8-bit symmetric quantization is supported with Marlin kernels");
    }
    return d;
  }
};

std::string vllm_auto_round_refusal(const config::QuantConfig& q) {
  if (!q.bits) return "ValueError: no `bits` in the quantization config";
  if (*q.bits < 2 || *q.bits > 8) {
    return fmt::format("ValueError: bits = {} is not supported", *q.bits);
  }
  if (q.blocks_nested) return "AttributeError: 'list' object has no attribute 'endswith'";
  const std::string& packing = q.packing_format;
  constexpr std::string_view kFormats[] = {"", kAutoGptq, kAutoAwq, "auto_round:fp8",
                                           "auto_round:llm_compressor"};
  const auto known = std::ranges::find(kFormats, packing);
  constexpr std::ptrdiff_t kIntegerFormats = 3;
  const bool integers = q.data_type == "int";
  if (known == std::end(kFormats) || (integers && known - kFormats >= kIntegerFormats)) {
    return fmt::format("ValueError: packing_format {} is not supported", packing);
  }
  return {};
}

}  // namespace

void plan_vllm_auto_round(const PlanArgs& args) {
  args.plan.refused = vllm_auto_round_refusal(args.quant());
  const NameMap names = NameMap::vllm(args.config.model_class);
  const IncResolver resolver(args.quant(), names);
  plan_engine_modules(args, engine_modules(args.blueprint), names,
                      [&resolver](const std::string& name, const EngineModule& e) {
                        return resolver.resolve(name, e);
                      });
}

}  // namespace ckpt::loaders
