// SGLang 0.5.23: which plan answers for which method.

#include <fmt/format.h>

#include "validator/loaders/internal.h"

namespace ckpt::loaders {

using config::QuantMethod;

void plan_sglang(const PlanArgs& args) {
  if (!args.config.quant) {
    const auto unquantized = [](const std::string&, const EngineModule&) { return Decision{}; };
    return plan_engine_modules(args, sglang_modules(args.blueprint), NameMap::none(), unquantized);
  }
  switch (args.quant().method) {
    case QuantMethod::auto_round:
      return plan_sglang_auto_round(args);
    case QuantMethod::compressed_tensors:
      return plan_sglang_compressed_tensors(args);
    case QuantMethod::gptq:
      return plan_sglang_gptq(args);
    case QuantMethod::awq:
      return plan_sglang_awq(args);
    case QuantMethod::fp8:
      return plan_sglang_fp8(args);
    case QuantMethod::unknown:
      return refuse_unknown_method(args);
    default:
      return not_predicted(args);
  }
}

}  // namespace ckpt::loaders
