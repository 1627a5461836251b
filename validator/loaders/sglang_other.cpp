// SGLang 0.5.23: quantization/gptq, awq, fp8 (loaders page, section 4). Headers are not consulted.

#include <fmt/format.h>

#include "validator/loaders/internal.h"
#include "validator/loaders/name_sets.h"

namespace ckpt::loaders {
namespace {

/// On CUDA only what Marlin takes has a method at all.
std::string sglang_gptq_refusal(const config::QuantConfig& q) {
  const bool complete = q.bits && q.group_size && q.sym && q.desc_act;
  const Decision d = gptq_scheme(q);
  if (complete && gptq_type(d) && marlin_group(d.group_size)) return {};
  return "ValueError: Unknown quantization method: gptq (what Marlin cannot take has no method)";
}

std::string sglang_awq_refusal(const config::QuantConfig& q) {
  if (!q.bits || !q.group_size || !q.zero_point) {
    return "ValueError: bits, group_size and zero_point must be in the quantization config";
  }
  if (*q.bits == 4) return {};
  return fmt::format(
      "ValueError: Currently, only 4-bit weight quantization is supported for AWQ, but got {} bits",
      *q.bits);
}

}  // namespace

void plan_sglang_gptq(const PlanArgs& args) {
  const config::QuantConfig& q = args.quant();
  args.plan.refused = sglang_gptq_refusal(q);
  const DynamicTable dynamic(q);
  const auto decide = [&](const std::string& name, const EngineModule& e) {
    Decision d = gptq_scheme(q);
    if (is_experts(e)) return d;  // `dynamic` is not asked
    if (is_head(e) && !q.lm_head) return Decision{};
    if (!dynamic.apply(name, d)) return Decision{};
    if (!gptq_type(d)) {
      return raises("ValueError", fmt::format("Unsupported quantization config: bits={}, sym={}",
                                              d.bits, d.sym ? "True" : "False"));
    }
    if (!marlin_group(d.group_size)) {
      return raises("ValueError",
                    fmt::format("Marlin does not support group_size = {}", d.group_size));
    }
    return d;
  };
  plan_engine_modules(args, sglang_modules(args.blueprint), NameMap::none(), decide);
}

void plan_sglang_awq(const PlanArgs& args) {
  const config::QuantConfig& q = args.quant();
  args.plan.refused = sglang_awq_refusal(q);
  const SubstringSet excluded(mapped(q.modules_to_not_convert, NameMap::none()));
  const Decision scheme = awq_scheme(q);
  // Symmetric codes and odd groups stay with the plain AWQ class, which knows no experts.
  const bool marlin = !scheme.sym && marlin_group(scheme.group_size);
  const auto decide = [&](const std::string& name, const EngineModule& e) {
    if (is_experts(e) && !marlin) return Decision{};
    if (is_head(e) && !(q.lm_head && marlin)) return Decision{};
    return excluded.any_in(name) ? Decision{} : scheme;
  };
  plan_engine_modules(args, sglang_modules(args.blueprint), NameMap::none(), decide);
}

void plan_sglang_fp8(const PlanArgs& args) {
  const config::QuantConfig& q = args.quant();
  args.plan.refused = fp8_refusal(q);
  std::vector<std::string> excluded;
  for (const config::Pattern& p : fp8_exclusions(q)) {
    // Both spellings are tried, with and without a leading `model.`.
    constexpr std::string_view kModel = "model.";
    const bool leading = p.text.starts_with(kModel);
    excluded.push_back(leading ? p.text.substr(kModel.size()) : p.text);
    excluded.push_back(leading ? p.text : std::string(kModel) + p.text);
  }
  const PathSet paths(excluded);
  const ContainerSet containers(excluded, "experts");
  const auto decide = [&](const std::string& name, const EngineModule& e) {
    if (is_head(e)) return Decision{};
    if (is_experts(e)) return containers.any_contains(name) ? Decision{} : fp8_scheme(q);
    std::optional<Decision> error;
    const auto skipped = [&paths](const std::string& n) { return paths.any_in(n); };
    const bool skip = skipped_alike(name, skipped, error);
    if (error) return *std::move(error);
    return skip ? Decision{} : fp8_scheme(q);
  };
  plan_engine_modules(args, sglang_modules(args.blueprint), NameMap::none(), decide);
}

}  // namespace ckpt::loaders
