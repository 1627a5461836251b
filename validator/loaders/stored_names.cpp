#include <algorithm>
#include <unordered_map>

#include "validator/loaders/plan.h"

namespace ckpt::loaders {

std::optional<StoredNames> stored_names(const config::ModelConfig& config,
                                        const container::Checkpoint& checkpoint) {
  using config::QuantMethod;
  if (!config.quant || checkpoint.tensors().empty()) return std::nullopt;
  const QuantMethod method = config.quant->method;
  if (method != QuantMethod::gptq && method != QuantMethod::awq) return std::nullopt;
  std::unordered_map<std::string_view, bool> packed;
  for (const container::Tensor& t : checkpoint.tensors()) {
    const std::string_view name = t.name;
    const bool plain = t.dtype == Dtype::f16 || t.dtype == Dtype::bf16 || t.dtype == Dtype::f32;
    bool& at = packed[name.substr(0, name.rfind('.'))];
    at = at || !plain;
  }
  StoredNames out;
  for (const auto& [name, is_packed] : packed) {
    (is_packed ? out.packed : out.plain).emplace_back(name);
  }
  std::ranges::sort(out.packed);
  std::ranges::sort(out.plain);
  return out;
}

}  // namespace ckpt::loaders
