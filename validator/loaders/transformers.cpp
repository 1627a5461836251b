// transformers 5.17 with auto-round 0.15.1 (inference/convert_model.py) and compressed-tensors
// 0.19.

#include <fmt/format.h>

#include <algorithm>

#include "validator/loaders/internal.h"

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
    if (m.linear && m.cls != ModuleClass::mtp) add_module(plan, "", {i}, {});
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

}  // namespace

void plan_transformers_auto_round(const config::ModelConfig& config,
                                  const arch::Blueprint& blueprint, LoadPlan& plan) {
  const config::QuantConfig& q = *config.quant;
  const std::vector<std::string> blocks = block_prefixes(config, blueprint);
  std::vector<std::string> keys;
  std::vector<bool> is_pattern;
  for (const config::Override& o : q.overrides) {
    keys.push_back(for_text_class(o.key, config.model_class));
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
    add_module(plan, "", {i}, std::move(d));
  }
}

void plan_transformers_compressed_tensors(const config::ModelConfig& config,
                                          const arch::Blueprint& blueprint, LoadPlan& plan) {
  const TargetTable table(*config.quant, /*file_order=*/false);
  const int experts = experts_group(*config.quant);
  for (const config::ConfigGroup& g : config.quant->groups) {
    if (g.weights && (g.weights->actorder == "group" || g.weights->actorder == "dynamic")) {
      plan.refused =
          fmt::format("ValidationError: actorder='{}' has been removed", g.weights->actorder);
    }
  }
  for (std::uint32_t i = 0; i < blueprint.modules().size(); ++i) {
    const Module& m = blueprint.modules()[i];
    if (!m.linear || m.cls == ModuleClass::mtp) continue;
    Decision d;
    if (m.cls == ModuleClass::routed_expert) {
      d = table.decision(experts);
    } else if (!is_linear(m)) {
      d.built_without_config = true;
    } else if (!table.ignored(m.name, "Linear")) {
      d = table.decision(table.group(m.name, "Linear"));
    }
    add_module(plan, "", {i}, std::move(d));
  }
}

void plan_transformers(const config::ModelConfig& config, const arch::Blueprint& blueprint,
                       LoadPlan& plan) {
  if (!config.quant) return plan_plain(blueprint, plan);
  switch (config.quant->method) {
    case QuantMethod::auto_round:
      return plan_transformers_auto_round(config, blueprint, plan);
    case QuantMethod::compressed_tensors:
      return plan_transformers_compressed_tensors(config, blueprint, plan);
    case QuantMethod::unknown:
      return plan_plain(blueprint, plan);  // a warning, then unquantized
    default:
      plan.predicted = false;
      plan.why_not =
          fmt::format("no load plan for quant_method `{}` yet", config.quant->method_text);
  }
}

}  // namespace ckpt::loaders
