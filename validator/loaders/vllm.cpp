// vLLM 0.33: which plan answers for which method, and the names of the two Qwen3.5 classes.

#include <fmt/format.h>

#include "validator/loaders/internal.h"

namespace ckpt::loaders {

using config::QuantMethod;

NameMap NameMap::vllm(config::ModelClass cls) {
  NameMap map;
  if (cls == config::ModelClass::conditional_generation) {
    map.rules_ = {{"model.visual.", "visual."},
                  {"lm_head.", "language_model.lm_head."},
                  {"model.language_model.", "language_model.model."}};
    map.head_ = "language_model.lm_head";
  } else {
    map.rules_ = {{"model.language_model.", "model."}};
  }
  return map;
}

std::string NameMap::text(std::string_view name) const {
  for (const auto& [from, to] : rules_) {
    if (name.starts_with(from)) return std::string(to) + std::string(name.substr(from.size()));
  }
  return std::string(name);
}

std::string NameMap::module(std::string_view name) const {
  return name == "lm_head" ? head_ : text(name);
}

void plan_vllm(const PlanArgs& args) {
  if (!args.config.quant) {
    const auto unquantized = [](const std::string&, const EngineModule&) { return Decision{}; };
    return plan_engine_modules(args, engine_modules(args.blueprint),
                               NameMap::vllm(args.config.model_class), unquantized);
  }
  switch (args.quant().method) {
    case QuantMethod::auto_round:
      return plan_vllm_auto_round(args);
    case QuantMethod::compressed_tensors:
      return plan_vllm_compressed_tensors(args);
    case QuantMethod::gptq:
      return plan_vllm_gptq(args);
    case QuantMethod::awq:
      return plan_vllm_awq(args);
    case QuantMethod::fp8:
      return plan_vllm_fp8(args);
    case QuantMethod::unknown:
      return refuse_unknown_method(args);
    default:
      return not_predicted(args);
  }
}

}  // namespace ckpt::loaders
