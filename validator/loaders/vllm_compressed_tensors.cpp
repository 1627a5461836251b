// vLLM 0.33: quantization/compressed_tensors (loaders page, 2.5).

#include <fmt/format.h>

#include "validator/loaders/internal.h"

namespace ckpt::loaders {
namespace {

/// One dense module, fused or not.
Decision vllm_linear(const TargetTable& table, const std::string& name, std::string_view cls) {
  if (table.ignored(name, "")) return {};
  const std::vector<std::string> members = member_names(name);
  std::size_t ignored = 0;
  for (const std::string& m : members) {
    if (table.ignored(m, "")) ++ignored;
  }
  if (!members.empty() && ignored == members.size()) return {};
  if (ignored != 0) {
    return raises("ValueError",
                  fmt::format("Found different quantization schemes for the shards of {}", name));
  }
  int g = table.group_in_order(name);
  if (g < 0 && !members.empty()) {
    g = table.group_in_order(members[0]);
    for (const std::string& m : members) {
      // Members that differ match nothing together; the class name may still take the module.
      if (table.group_in_order(m) != g) g = -1;
    }
  }
  if (g < 0) g = table.group_by_class(cls);
  return table.decision(g);
}

/// Experts: the three projections of expert 0 decide for all.
Decision vllm_experts(const TargetTable& table, const std::string& name) {
  std::optional<Decision> first;
  for (const std::string_view part : {"gate_proj", "up_proj", "down_proj"}) {
    const std::string member = fmt::format("{}.0.{}", name, part);
    Decision d;
    if (!table.ignored(member, "")) {
      int g = table.group_in_order(member);
      if (g < 0) g = table.group_by_class("Linear");
      d = table.decision(g);
    }
    if (first && !same_scheme(d, *first)) return different_projections();
    first = std::move(d);
  }
  return *first;
}

std::string compressed_tensors_refusal(const config::QuantConfig& q) {
  if (std::string why = removed_actorder(q); !why.empty()) return why;
  for (const config::ConfigGroup& g : q.groups) {
    const std::string& format = g.format.empty() ? q.format : g.format;
    const bool weight_only = g.weights && g.weights->type == "int" && !g.input_activations;
    if (weight_only && format != "pack-quantized") {
      return fmt::format("AssertionError: weight-only integers in format `{}`", format);
    }
  }
  return {};
}

}  // namespace

void plan_vllm_compressed_tensors(const PlanArgs& args) {
  args.plan.refused = compressed_tensors_refusal(args.quant());
  const NameMap names = NameMap::vllm(args.config.model_class);
  const TargetTable table(args.quant(), names, /*file_order=*/true);
  plan_engine_modules(args, engine_modules(args.blueprint), names,
                      [&table](const std::string& name, const EngineModule& e) {
                        Decision d = is_experts(e) ? vllm_experts(table, name)
                                                   : vllm_linear(table, name, e.cls);
                        return ct_kernel(std::move(d), is_experts(e), /*dense_any_width=*/true);
                      });
}

}  // namespace ckpt::loaders
