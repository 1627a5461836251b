// The config read by its own format's rules, with full HF names: what the publisher meant.

#include <fmt/format.h>

#include <algorithm>

#include "validator/loaders/internal.h"

namespace ckpt::loaders {
namespace {

using arch::Module;
using arch::ModuleClass;
using config::QuantMethod;

void intend_auto_round(const config::ModelConfig& config, const arch::Blueprint& blueprint,
                       LoadPlan& plan) {
  const config::QuantConfig& q = *config.quant;
  const bool absent = !q.blocks_given || (!q.blocks_is_list && q.blocks_text.empty());
  std::vector<std::string> keys;
  std::vector<bool> is_pattern;
  for (const config::Override& o : q.overrides) {
    keys.push_back(o.key);
    is_pattern.push_back(looks_like_regex(o.key));
  }
  const OverrideTable table(q, std::move(keys), is_pattern, Anchor::search);
  for (std::uint32_t i = 0; i < blueprint.modules().size(); ++i) {
    const Module& m = blueprint.modules()[i];
    if (!m.linear) continue;
    const bool named = std::ranges::any_of(q.blocks, [&](const config::Pattern& b) {
      return !b.text.empty() && std::string_view(m.name).starts_with(b.text);
    });
    // Without a list the scheme covers every linear of the model; MTP is no part of the model.
    const bool covered = absent ? m.cls != ModuleClass::head && m.cls != ModuleClass::mtp : named;
    int e = table.exact(m.name);
    if (e < 0) e = table.pattern(m.name);
    Decision d;
    if (e >= 0) {
      d = table.entry(e);
    } else if (covered) {
      d = table.global();
    }
    add_module(plan, "", i, std::move(d));
  }
}

void intend_compressed_tensors(const config::ModelConfig& config, const arch::Blueprint& blueprint,
                               LoadPlan& plan) {
  const TargetTable table(*config.quant, NameMap::none(), /*file_order=*/false);
  for (std::uint32_t i = 0; i < blueprint.modules().size(); ++i) {
    const Module& m = blueprint.modules()[i];
    if (!m.linear || m.cls == ModuleClass::mtp) continue;
    Decision d;
    if (!table.ignored(m.name, "Linear")) d = table.decision(table.group(m.name, "Linear"));
    add_module(plan, "", i, std::move(d));
  }
}

}  // namespace

LoadPlan read_intent(const config::ModelConfig& config, const arch::Blueprint& blueprint) {
  LoadPlan plan;
  start_plan(plan, blueprint, /*fused=*/false);
  if (!config.quant) {
    for (std::uint32_t i = 0; i < blueprint.modules().size(); ++i) {
      if (blueprint.modules()[i].linear) add_module(plan, "", i, {});
    }
    return plan;
  }
  switch (config.quant->method) {
    case QuantMethod::auto_round:
      intend_auto_round(config, blueprint, plan);
      break;
    case QuantMethod::compressed_tensors:
      intend_compressed_tensors(config, blueprint, plan);
      break;
    default:
      plan.predicted = false;
      plan.why_not = fmt::format("quant_method `{}` is not read", config.quant->method_text);
  }
  return plan;
}

}  // namespace ckpt::loaders
