// SGLang 0.5.23: quantization/compressed_tensors (loaders page, section 4).

#include <fmt/format.h>

#include "validator/loaders/internal.h"

namespace ckpt::loaders {
namespace {

Decision no_target(std::string_view name) {
  return raises("ValueError", fmt::format("Unable to find matching target for {} in the "
                                          "compressed-tensors config.",
                                          name));
}

/// Names and regexes in file order, then the class, then the members of a fused module.
int find_group(const TargetTable& table, const std::string& name, std::string_view cls) {
  int g = table.group_in_order(name);
  if (g < 0) g = table.group_by_class(cls);
  const std::vector<std::string> members = member_names(name);
  if (g >= 0 || members.empty()) return g;
  for (const std::string& m : members) {
    if (table.group_in_order(m) < 0) return -1;
  }
  // Every member must match something; the first one's match is taken for all.
  return table.group_in_order(members[0]);
}

Decision sglang_linear(const TargetTable& table, const std::string& name, std::string_view cls) {
  // A pattern written for the fused name is not asked: only the name itself, then the members.
  bool ignored = table.ignored_exactly(name);
  if (!ignored) {
    const std::vector<std::string> members = member_names(name);
    ignored = table.ignored_suffix(members.empty() ? name : members[0]);
    for (const std::string& m : members) {
      if (table.ignored_suffix(m) == ignored) continue;
      return raises("ValueError", fmt::format("Found different quantization schemes for the "
                                              "members of {}. SGLang requires all to use the same "
                                              "scheme.",
                                              name));
    }
  }
  if (ignored) return {};
  const int g = find_group(table, name, cls);
  return g < 0 ? no_target(name) : table.decision(g);
}

/// Experts: the three projections of expert 0 decide for all.
Decision sglang_experts(const TargetTable& table, const std::string& name) {
  std::optional<Decision> first;
  for (const std::string_view part : {"gate_proj", "up_proj", "down_proj"}) {
    Decision d = sglang_linear(table, fmt::format("{}.0.{}", name, part), "Linear");
    if (d.raises()) return d;
    if (first && !same_scheme(d, *first)) return different_projections();
    first = std::move(d);
  }
  return *first;
}

}  // namespace

void plan_sglang_compressed_tensors(const PlanArgs& args) {
  args.plan.refused = removed_actorder(args.quant());
  const TargetTable table(args.quant(), NameMap::none(), /*file_order=*/true);
  plan_engine_modules(args, sglang_modules(args.blueprint), NameMap::none(),
                      [&table](const std::string& name, const EngineModule& e) {
                        if (is_head(e)) return Decision{};
                        Decision d = is_experts(e) ? sglang_experts(table, name)
                                                   : sglang_linear(table, name, e.cls);
                        return ct_kernel(std::move(d), is_experts(e), /*dense_any_width=*/false);
                      });
}

}  // namespace ckpt::loaders
