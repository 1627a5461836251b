#include "validator/loaders/plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "validator/loaders/internal.h"

namespace ckpt::loaders {
namespace {

/// The plan's own copy of a decision; neighbours mostly share one.
const Decision& shared(LoadPlan& plan, Decision&& decision) {
  constexpr std::size_t kLookBack = 4;
  const std::size_t n = std::min(kLookBack, plan.decisions.size());
  for (std::size_t i = 0; i < n; ++i) {
    const Decision& known = plan.decisions[plan.decisions.size() - 1 - i];
    if (known == decision) return known;
  }
  plan.decisions.push_back(std::move(decision));
  return plan.decisions.back();
}

}  // namespace

std::string_view loader_name(Loader loader) {
  constexpr std::string_view kNames[] = {"vllm", "transformers", "sglang"};
  return kNames[static_cast<std::size_t>(loader)];
}

std::string_view loader_version(Loader loader) {
  constexpr std::string_view kVersions[] = {"0.33", "5.17", "0.5.23"};
  return kVersions[static_cast<std::size_t>(loader)];
}

void start_plan(LoadPlan& plan, const arch::Blueprint& blueprint, bool fused) {
  const std::size_t n = blueprint.modules().size();
  plan.of_module.assign(n, -1);
  plan.single.resize(n);
  std::iota(plan.single.begin(), plan.single.end(), 0U);
  if (!fused) plan.modules.reserve(n);
}

void add_module(LoadPlan& plan, std::string name, std::vector<std::uint32_t> members,
                Decision decision) {
  const std::uint32_t one = members.size() == 1 ? members[0] : 0;
  if (members.size() == 1) {
    return add_module(plan, std::move(name), one, std::move(decision));
  }
  plan.fused.push_back(std::move(members));
  const auto index = static_cast<std::int32_t>(plan.modules.size());
  for (const std::uint32_t m : plan.fused.back()) plan.of_module[m] = index;
  plan.modules.push_back({std::move(name), plan.fused.back(), shared(plan, std::move(decision))});
}

void add_module(LoadPlan& plan, std::string name, std::uint32_t member, Decision decision) {
  plan.of_module[member] = static_cast<std::int32_t>(plan.modules.size());
  plan.modules.push_back({std::move(name), std::span(plan.single).subspan(member, 1),
                          shared(plan, std::move(decision))});
}

void refuse_unknown_method(const PlanArgs& args) {
  args.plan.refused =
      fmt::format("ValueError: Unknown quantization method: {}", args.quant().method_text);
}

void not_predicted(const PlanArgs& args) {
  args.plan.predicted = false;
  args.plan.why_not = fmt::format("no load plan for quant_method `{}`", args.quant().method_text);
}

std::string decided_by(const config::ModelConfig& config, const Decision& decision) {
  if (decision.built_without_config) return "built without the quantization config";
  if (!config.quant) return "no quantization config";
  const config::QuantConfig& q = *config.quant;
  if (decision.entry >= 0) {
    const auto at = static_cast<std::size_t>(decision.entry);
    if (at < q.groups.size()) return "config_groups." + q.groups[at].name;
    if (at < q.overrides.size()) return fmt::format("extra_config \"{}\"", q.overrides[at].key);
    if (at < q.dynamic.size()) return fmt::format("dynamic \"{}\"", q.dynamic[at].key);
  }
  if (decision.raises()) return "the members of a fused module, or the kernel";
  return decision.quantized ? "the global scheme" : "excluded, or not covered by the scheme";
}

LoadPlan make_plan(Loader loader, const config::ModelConfig& config,
                   const arch::Blueprint& blueprint, const StoredNames* stored) {
  LoadPlan plan;
  plan.loader = loader;
  // The engines fuse the experts of a layer into one module, transformers keeps them apart.
  start_plan(plan, blueprint, loader != Loader::transformers);
  const PlanArgs args{config, blueprint, stored, plan};
  switch (loader) {
    case Loader::vllm:
      plan_vllm(args);
      break;
    case Loader::transformers:
      plan_transformers(args);
      break;
    case Loader::sglang:
      plan_sglang(args);
      break;
  }
  return plan;
}

}  // namespace ckpt::loaders
