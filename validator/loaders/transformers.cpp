// transformers 5.17 with auto-round 0.15.1 (inference/convert_model.py) and compressed-tensors
// 0.19.

#include <fmt/format.h>

#include <algorithm>

#include "validator/loaders/internal.h"
#include "validator/loaders/name_sets.h"

namespace ckpt::loaders {
namespace {

using arch::Module;
using arch::ModuleClass;
using config::QuantMethod;

/// transformers' text class strips `language_model.` from checkpoint names and config patterns.
std::string for_text_class(std::string key, config::ModelClass cls) {
  if (cls != config::ModelClass::causal_lm) return key;
  constexpr std::string_view kPart = "model.language_model.";
  if (const std::size_t at = key.find(kPart); at != std::string::npos) {
    key.replace(at, kPart.size(), "model.");
  }
  return key;
}

/// nn.Linear in transformers 5: the router is a bare parameter, not a linear.
bool is_linear(const Module& m) {
  return m.linear && m.cls != ModuleClass::router && m.cls != ModuleClass::mtp;
}

std::vector<std::string> block_prefixes(const config::ModelConfig& config,
                                        const arch::Blueprint& blueprint) {
  const config::QuantConfig& q = *config.quant;
  const bool absent = !q.blocks_given || (!q.blocks_is_list && q.blocks_text.empty());
  std::vector<std::string> out;
  if (q.blocks_given && absent) return {"model."};  // "" begins every name; the head stays apart
  if (absent) {  // every list of blocks found in the model, vision included
    out.push_back(blueprint.text_prefix() + "layers.");
    out.emplace_back("model.visual.blocks.");
    return out;
  }
  for (const config::Pattern& b : q.blocks) {
    out.push_back(for_text_class(b.text, config.model_class));
  }
  return out;
}

void plan_plain(const arch::Blueprint& blueprint, LoadPlan& plan) {
  for (std::uint32_t i = 0; i < blueprint.modules().size(); ++i) {
    const Module& m = blueprint.modules()[i];
    if (m.linear && m.cls != ModuleClass::mtp) add_module(plan, "", i, {});
  }
}

/// One scheme serves all experts of all layers: the first group with a `re:` target that contains
/// "experts", else the first group without one, else the first.
int experts_group(const config::QuantConfig& q) {
  const auto find = [&q](auto&& wanted) {
    const auto it = std::ranges::find_if(q.groups, [&wanted](const config::ConfigGroup& g) {
      return std::ranges::any_of(g.targets,
                                 [&](const config::Pattern& t) { return wanted(t.text); });
    });
    return it == q.groups.end() ? -1 : static_cast<int>(it - q.groups.begin());
  };
  const int named = find([](const std::string& t) {
    return t.starts_with("re:") && t.find("experts") != std::string::npos;
  });
  if (named >= 0) return named;
  const int unnamed = find([](const std::string& t) { return !t.starts_with("re:"); });
  return unnamed >= 0 ? unnamed : q.groups.empty() ? -1 : 0;
}

/// should_convert_module: a pattern is a regex from the start of a name, or its literal end.
class Exclusions {
 public:
  explicit Exclusions(const std::vector<config::Pattern>& list)
      : texts_(mapped(list, NameMap::none())), patterns_(texts_, Anchor::start), ends_(texts_) {}

  [[nodiscard]] bool hit(const std::string& name) const {
    return patterns_.first_match(name) >= 0 || ends_.ends(name);
  }

 private:
  std::vector<std::string> texts_;
  PatternSet patterns_;
  SubstringSet ends_;
};

template <class Excluded>
void plan_by_exclusion(const PlanArgs& args, const Decision& scheme, Excluded&& excluded) {
  for (std::uint32_t i = 0; i < args.blueprint.modules().size(); ++i) {
    const Module& m = args.blueprint.modules()[i];
    if (!m.linear || m.cls == ModuleClass::mtp) continue;
    Decision d;
    d.built_without_config = !is_linear(m);
    if (is_linear(m) && !excluded(m)) d = scheme;
    add_module(args.plan, "", i, std::move(d));
  }
}

std::string auto_round_refusal(const config::QuantConfig& q) {
  if (!q.group_pair.empty()) {
    return "TypeError: '<=' not supported between instances of 'list' and 'int'";
  }
  if (const json::Value given = q.block.value.find("bits"); given && !given.integer()) {
    return "ValueError: Only support quantization to [2,3,4,8] bits but found " +
           std::string(json::kind_name(given.kind()));
  }
  const std::int64_t bits = q.bits.value_or(4);
  if (bits >= 2 && bits <= 8) return {};
  return fmt::format("ValueError: Only support quantization to [2,3,4,8] bits but found {}", bits);
}

}  // namespace

void plan_transformers_auto_round(const PlanArgs& args) {
  const auto& [config, blueprint, stored, plan] = args;
  const config::QuantConfig& q = args.quant();
  plan.refused = auto_round_refusal(q);
  const std::vector<std::string> blocks = block_prefixes(config, blueprint);
  std::vector<std::string> keys;
  std::vector<bool> is_pattern;
  // Keys are renamed for the text class together with the list of blocks, when that needs it.
  const bool renamed = q.blocks.empty() || std::ranges::any_of(q.blocks, [](const auto& b) {
                         return b.text.starts_with("model.language_model");
                       });
  for (const config::Override& o : q.overrides) {
    keys.push_back(renamed ? for_text_class(o.key, config.model_class) : o.key);
    // Every key that is not itself a module name is tried as a regular expression.
    is_pattern.push_back(blueprint.find(keys.back()) < 0);
  }
  const OverrideTable table(q, std::move(keys), is_pattern, Anchor::search);
  for (std::uint32_t i = 0; i < blueprint.modules().size(); ++i) {
    const Module& m = blueprint.modules()[i];
    if (!m.linear || m.cls == ModuleClass::mtp) continue;
    Decision d;
    const bool candidate = is_linear(m) && std::ranges::any_of(blocks, [&](const std::string& b) {
                             return std::string_view(m.name).starts_with(b);
                           });
    if (candidate) {
      int e = table.exact(m.name);
      if (e < 0) e = table.pattern(m.name);
      d = e >= 0 ? table.entry(e) : table.global();
    } else if (m.cls == ModuleClass::head) {
      if (const int e = table.exact(m.name); e >= 0) d = table.entry(e);
    }
    d.built_without_config = !is_linear(m);
    add_module(plan, "", i, std::move(d));
  }
}

void plan_transformers_compressed_tensors(const PlanArgs& args) {
  args.plan.refused = removed_actorder(args.quant());
  const TargetTable table(args.quant(), NameMap::none(), /*file_order=*/false);
  const int experts = experts_group(args.quant());
  for (std::uint32_t i = 0; i < args.blueprint.modules().size(); ++i) {
    const Module& m = args.blueprint.modules()[i];
    if (!m.linear || m.cls == ModuleClass::mtp) continue;
    Decision d;
    if (m.cls == ModuleClass::routed_expert) {
      d = table.decision(experts);
    } else if (!is_linear(m)) {
      d.built_without_config = true;
    } else if (!table.ignored(m.name, "Linear")) {
      d = table.decision(table.group(m.name, "Linear"));
    }
    add_module(args.plan, "", i, std::move(d));
  }
}

void plan_transformers_awq(const PlanArgs& args) {
  const Exclusions excluded(args.quant().modules_to_not_convert);
  plan_by_exclusion(args, awq_scheme(args.quant()), [&](const Module& m) {
    // Experts are one fused module, which is never converted; nor is the head.
    return m.cls == ModuleClass::routed_expert || m.cls == ModuleClass::head ||
           excluded.hit(m.name);
  });
}

void plan_transformers_fp8(const PlanArgs& args) {
  const config::QuantConfig& q = args.quant();
  const std::vector<config::Pattern>& list = fp8_exclusions(q);
  const Exclusions excluded(list);
  // Any list replaces the default one, which holds the head.
  const bool head_kept = !q.exclusions_given && list.empty();
  Decision scheme = fp8_scheme(q);
  plan_by_exclusion(args, scheme, [&](const Module& m) {
    if (m.cls == ModuleClass::head && head_kept) return true;
    if (m.cls != ModuleClass::routed_expert) return excluded.hit(m.name);
    return excluded.hit(args.blueprint.experts_of_layer(m.layer)->prefix);
  });
}

const config::QuantConfig* transformers_quant(const config::ModelConfig& config) {
  return config.quant && config.quant->file == "config.json" ? &*config.quant : nullptr;
}

void plan_transformers(const PlanArgs& args) {
  if (transformers_quant(args.config) == nullptr) return plan_plain(args.blueprint, args.plan);
  switch (args.quant().method) {
    case QuantMethod::auto_round:
      return plan_transformers_auto_round(args);
    case QuantMethod::compressed_tensors:
      return plan_transformers_compressed_tensors(args);
    case QuantMethod::awq:
      return plan_transformers_awq(args);
    case QuantMethod::fp8:
      return plan_transformers_fp8(args);
    case QuantMethod::gptq:
      args.plan.predicted = false;
      args.plan.why_not = "GPTQ needs the packages optimum and gptqmodel";
      args.plan.refused = args.quant().modules_in_block.empty()
                              ? "ImportError: Loading a GPTQ quantized model requires optimum"
                              : "PackageNotFoundError: No package metadata was found for optimum";
      return;
    case QuantMethod::unknown:
      return plan_plain(args.blueprint, args.plan);  // a warning, then unquantized
    default:
      return not_predicted(args);
  }
}

}  // namespace ckpt::loaders
