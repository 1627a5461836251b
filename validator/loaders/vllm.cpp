// vLLM 0.33: quantization/inc (AutoRound), quantization/compressed_tensors, models/qwen3_5.py.

#include <fmt/format.h>

#include "validator/loaders/internal.h"

namespace ckpt::loaders {
namespace {

using config::QuantMethod;

/// The literal prefix map of the two classes (WeightsMapper).
class NameMap {
 public:
  explicit NameMap(config::ModelClass cls) {
    if (cls == config::ModelClass::conditional_generation) {
      rules_ = {{"model.visual.", "visual."},
                {"lm_head.", "language_model.lm_head."},
                {"model.language_model.", "language_model.model."}};
      head_ = "language_model.lm_head";
    } else {
      rules_ = {{"model.language_model.", "model."}};
      head_ = "lm_head";
    }
  }

  [[nodiscard]] std::string text(std::string_view name) const {
    for (const auto& [from, to] : rules_) {
      if (name.starts_with(from)) return std::string(to) + std::string(name.substr(from.size()));
    }
    return std::string(name);
  }

  /// Name of the engine module for an HF module name.
  [[nodiscard]] std::string module(std::string_view name) const {
    return name == "lm_head" ? head_ : text(name);
  }

 private:
  std::vector<std::pair<std::string_view, std::string_view>> rules_;
  std::string head_;
};

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

  [[nodiscard]] Decision resolve(const std::string& name, bool is_head, bool experts) const {
    if (Decision d; unquantized_exactly(name, d)) return d;
    if (const int e = table_.exact(name); e >= 0) return check(table_.entry(e), experts);
    if (const int e = table_.suffix(name); e >= 0) return check(table_.entry(e), experts);
    const bool quantized = in_blocks(name, is_head);
    if (Decision d; fused(name, quantized, d)) return check(std::move(d), experts);
    return check(plain(name, quantized), experts);
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
      out.error = "ValueError";
      out.error_text = fmt::format("Fused module '{}' requires consistent quant config", name);
      return true;
    }
    return true;
  }

  /// What the chosen kernel then says (section 2.3 and 2.8 of the loaders page).
  [[nodiscard]] Decision check(Decision d, bool experts) const {
    if (!d.quantized || d.raises()) return d;
    const bool awq = q_.packing_format.find("awq") != std::string::npos;
    const bool humming = d.bits != 4 && d.bits != 8;
    const bool group_ok =
        d.group_size == -1 || d.group_size == 32 || d.group_size == 64 || d.group_size == 128;
    if (awq && d.bits != 4) {
      d.error = "ValueError";
      d.error_text = fmt::format("Unsupported num_bits = {}", d.bits);
    } else if (!awq && !humming && !experts && (!d.sym || !group_ok)) {
      d.error = "NotImplementedError";
      d.error_text = "Only 4-bit and 8-bit symmetric quantization is supported with Marlin kernels";
    }
    return d;
  }
};

std::string refused_auto_round(const config::QuantConfig& q) {
  if (!q.bits) return "ValueError: no `bits` in the quantization config";
  if (*q.bits < 2 || *q.bits > 8) {
    return fmt::format("ValueError: bits = {} is not supported", *q.bits);
  }
  if (q.blocks_nested) return "AttributeError: 'list' object has no attribute 'endswith'";
  if (q.data_type == "int" && !q.packing_format.empty() &&
      q.packing_format != "auto_round:auto_gptq" && q.packing_format != "auto_round:auto_awq") {
    return fmt::format("ValueError: packing_format {} is not supported", q.packing_format);
  }
  return {};
}

/// Groups and ignore list of compressed-tensors under the engine's names.
config::QuantConfig mapped_ct(const config::QuantConfig& q, const NameMap& names) {
  config::QuantConfig out = q;
  const auto map = [&names](config::Pattern& p) {
    const bool dotted = p.text.find('.') != std::string::npos;
    if (dotted && !p.text.starts_with("re:")) p.text = names.text(p.text);
  };
  for (config::ConfigGroup& g : out.groups) {
    for (config::Pattern& t : g.targets) map(t);
  }
  for (config::Pattern& p : out.ignore) map(p);
  return out;
}

Decision ct_error(std::string text) {
  Decision d;
  d.error = "ValueError";
  d.error_text = std::move(text);
  return d;
}

bool same_scheme(const Decision& a, const Decision& b) {
  return a.quantized == b.quantized && a.bits == b.bits && a.group_size == b.group_size &&
         a.sym == b.sym;
}

/// One dense module, fused or not.
Decision ct_linear(const TargetTable& table, const std::string& name, std::string_view cls) {
  const std::vector<std::string> members = member_names(name);
  if (members.empty()) {
    if (table.ignored(name, "")) return {};
    int g = table.group(name, "");
    if (g < 0) g = table.group("", cls);
    return table.decision(g);
  }
  if (table.ignored(name, "")) return {};
  std::size_t ignored = 0;
  for (const std::string& m : members) {
    if (table.ignored(m, "")) ++ignored;
  }
  if (ignored == members.size()) return {};
  const std::string clash =
      fmt::format("Found different quantization schemes for the shards of {}", name);
  if (ignored != 0) return ct_error(clash);
  int g = table.group(name, "");
  if (g < 0) {
    const int first = table.group(members[0], "");
    bool same = true;
    for (const std::string& m : members) same = same && table.group(m, "") == first;
    // Members that differ match nothing together; the class name may still take the module.
    g = same ? first : -1;
  }
  if (g < 0) g = table.group("", cls);
  return table.decision(g);
}

/// Experts: the three projections of expert 0 decide for all.
Decision ct_experts(const TargetTable& table, const std::string& name) {
  Decision first;
  bool have = false;
  for (const std::string_view part : {"gate_proj", "up_proj", "down_proj"}) {
    const std::string member = fmt::format("{}.0.{}", name, part);
    Decision d;
    if (!table.ignored(member, "")) {
      int g = table.group(member, "");
      if (g < 0) g = table.group("", "Linear");
      d = table.decision(g);
    }
    if (have && !same_scheme(d, first)) {
      return ct_error("All MoE projections need to have same quantization scheme");
    }
    first = d;
    have = true;
  }
  return first;
}

}  // namespace

void plan_vllm_auto_round(const config::ModelConfig& config, const arch::Blueprint& blueprint,
                          LoadPlan& plan) {
  plan.refused = refused_auto_round(*config.quant);
  const NameMap names(config.model_class);
  const IncResolver resolver(*config.quant, names);
  for (EngineModule& e : engine_modules(blueprint)) {
    std::string name = names.module(e.name);
    Decision d;
    d.built_without_config = !e.quant_config;
    if (e.quant_config) {
      d = resolver.resolve(name, e.cls == "ParallelLMHead", e.cls == "RoutedExperts");
    }
    add_module(plan, std::move(name), std::move(e.members), std::move(d));
  }
}

void plan_vllm_compressed_tensors(const config::ModelConfig& config,
                                  const arch::Blueprint& blueprint, LoadPlan& plan) {
  const NameMap names(config.model_class);
  const config::QuantConfig mapped = mapped_ct(*config.quant, names);
  for (const config::ConfigGroup& g : mapped.groups) {
    if (g.weights && (g.weights->actorder == "group" || g.weights->actorder == "dynamic")) {
      plan.refused = fmt::format("ValueError: actorder='{}' has been removed", g.weights->actorder);
    }
  }
  for (const config::ConfigGroup& g : mapped.groups) {
    const std::string& format = g.format.empty() ? mapped.format : g.format;
    const bool weight_only = g.weights && g.weights->type == "int" && !g.input_activations;
    if (plan.refused.empty() && weight_only && format != "pack-quantized") {
      plan.refused = fmt::format("AssertionError: weight-only integers in format `{}`", format);
    }
  }
  const TargetTable table(mapped, /*file_order=*/true);
  for (EngineModule& e : engine_modules(blueprint)) {
    std::string name = names.module(e.name);
    Decision d;
    d.built_without_config = !e.quant_config;
    if (e.quant_config) {
      d = e.cls == "RoutedExperts" ? ct_experts(table, name) : ct_linear(table, name, e.cls);
    }
    add_module(plan, std::move(name), std::move(e.members), std::move(d));
  }
}

void plan_vllm(const config::ModelConfig& config, const arch::Blueprint& blueprint,
               LoadPlan& plan) {
  if (!config.quant) {
    const NameMap names(config.model_class);
    for (EngineModule& e : engine_modules(blueprint)) {
      add_module(plan, names.module(e.name), std::move(e.members), {});
    }
    return;
  }
  switch (config.quant->method) {
    case QuantMethod::auto_round:
      return plan_vllm_auto_round(config, blueprint, plan);
    case QuantMethod::compressed_tensors:
      return plan_vllm_compressed_tensors(config, blueprint, plan);
    case QuantMethod::unknown:
      plan.refused =
          fmt::format("ValueError: unknown quantization method `{}`", config.quant->method_text);
      return;
    default:
      plan.predicted = false;
      plan.why_not =
          fmt::format("no load plan for quant_method `{}` yet", config.quant->method_text);
  }
}

}  // namespace ckpt::loaders
