// vLLM 0.33: quantization/auto_gptq.py, auto_awq.py, fp8.py (loaders page, 2.4). GPTQ and AWQ read
// the safetensors headers before building when the config does not say which modules are packed.

#include <fmt/format.h>

#include "validator/loaders/internal.h"
#include "validator/loaders/name_sets.h"

namespace ckpt::loaders {
namespace {

std::string unsupported(const Decision& d) {
  return fmt::format("Unsupported quantization config: bits={}, sym={}", d.bits,
                     d.sym ? "True" : "False");
}

std::string vllm_gptq_refusal(const config::QuantConfig& q) {
  if (!q.bits || !q.group_size || !q.sym || !q.desc_act) {
    return "ValueError: bits, group_size, sym and desc_act must be in the quantization config";
  }
  const Decision d = gptq_scheme(q);
  if (!gptq_type(d)) return "ValueError: " + unsupported(d);
  if (d.desc_act) {
    return "ValueError: GPTQ group activation ordering (desc_act=True) is no longer supported";
  }
  return {};
}

std::string vllm_awq_refusal(const config::QuantConfig& q) {
  if (!q.bits || !q.group_size || !q.zero_point) {
    return "ValueError: bits, group_size and zero_point must be in the quantization config";
  }
  if (*q.bits != 4) return fmt::format("ValueError: Unsupported num_bits = {}", *q.bits);
  return {};
}

std::vector<std::string> mapped_names(const std::vector<std::string>& names, const NameMap& map) {
  std::vector<std::string> out;
  for (const std::string& n : names) out.push_back(map.text(n));
  return out;
}

/// Dense modules are packed when a listed name occurs in theirs; experts are not looked up.
class GptqResolver {
 public:
  GptqResolver(const PlanArgs& args, const NameMap& names)
      : q_(args.quant()), dynamic_(q_), listed_(listed(args, names)) {}

  [[nodiscard]] Decision resolve(const std::string& name, const EngineModule& e) const {
    if (is_head(e) && !q_.lm_head) return {};
    if (!is_experts(e) && listed_) {
      std::optional<Decision> error;
      const auto packed = [this](const std::string& n) { return listed_->any_in(n); };
      const bool quantized = skipped_alike(name, packed, error);
      if (error) return *std::move(error);
      if (!quantized) return {};
    }
    Decision d = gptq_scheme(q_);
    if (!dynamic_.apply(name, d)) return {};
    if (!gptq_type(d)) return raises("ValueError", unsupported(d));
    if (!is_experts(e) && !marlin_group(d.group_size)) {
      return raises("ValueError",
                    fmt::format("Marlin does not support group_size = {}", d.group_size));
    }
    return d;
  }

 private:
  const config::QuantConfig& q_;
  DynamicTable dynamic_;
  std::optional<SubstringSet> listed_;

  static std::optional<SubstringSet> listed(const PlanArgs& args, const NameMap& names) {
    if (!args.quant().modules_in_block.empty()) {
      return SubstringSet(mapped(args.quant().modules_in_block, names));
    }
    if (args.stored == nullptr || args.stored->packed.empty()) return std::nullopt;
    return SubstringSet(mapped_names(args.stored->packed, names));
  }
};

}  // namespace

void plan_vllm_gptq(const PlanArgs& args) {
  args.plan.refused = vllm_gptq_refusal(args.quant());
  const NameMap names = NameMap::vllm(args.config.model_class);
  const GptqResolver resolver(args, names);
  plan_engine_modules(args, engine_modules(args.blueprint), names,
                      [&resolver](const std::string& name, const EngineModule& e) {
                        return resolver.resolve(name, e);
                      });
}

void plan_vllm_awq(const PlanArgs& args) {
  const config::QuantConfig& q = args.quant();
  args.plan.refused = vllm_awq_refusal(q);
  const NameMap names = NameMap::vllm(args.config.model_class);
  std::vector<std::string> plain = mapped(q.modules_to_not_convert, names);
  if (plain.empty() && args.stored != nullptr) plain = mapped_names(args.stored->plain, names);
  const SubstringSet excluded(plain);
  const auto decide = [&](const std::string& name, const EngineModule& e) {
    if ((is_head(e) && !q.lm_head) || excluded.any_in(name)) return Decision{};
    std::optional<Decision> error;
    const auto skipped = [&excluded](const std::string& n) { return excluded.any_in(n); };
    const bool skip = skipped_alike(name, skipped, error);
    if (error) return *std::move(error);
    return skip ? Decision{} : awq_scheme(q);
  };
  plan_engine_modules(args, engine_modules(args.blueprint), names, decide);
}

void plan_vllm_fp8(const PlanArgs& args) {
  const config::QuantConfig& q = args.quant();
  args.plan.refused = fp8_refusal(q);
  const NameMap names = NameMap::vllm(args.config.model_class);
  const std::vector<std::string> excluded = mapped(fp8_exclusions(q), names);
  const SubstringSet exact(excluded);
  // An expert block is skipped when it, or anything in it, is listed.
  const ContainerSet containers(excluded, "experts");
  const auto decide = [&](const std::string& name, const EngineModule& e) {
    if (is_head(e) || exact.contains(name)) return Decision{};
    if (is_experts(e)) return containers.any_contains(name) ? Decision{} : fp8_scheme(q);
    std::optional<Decision> error;
    const auto skipped = [&exact](const std::string& n) { return exact.contains(n); };
    const bool skip = skipped_alike(name, skipped, error);
    if (error) return *std::move(error);
    return skip ? Decision{} : fp8_scheme(q);
  };
  plan_engine_modules(args, engine_modules(args.blueprint), names, decide);
}

}  // namespace ckpt::loaders
