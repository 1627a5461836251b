#pragma once
// What one loader will do with every module, predicted from config, names and shapes alone. Source
// of the predictions: the loaders page, checked against the loaders' recorded decisions.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "validator/arch/blueprint.h"
#include "validator/config/model_config.h"
#include "validator/quant/stored.h"

namespace ckpt::loaders {

enum class Loader : std::uint8_t { vllm, transformers, sglang };
[[nodiscard]] std::string_view loader_name(Loader loader);
/// The version the predictions were checked with.
[[nodiscard]] std::string_view loader_version(Loader loader);

/// What a loader resolves for one of its modules.
struct Decision {
  bool quantized = false;
  bool built_without_config = false;  ///< 16 bits whatever the config says
  std::int64_t bits = 16;
  std::int64_t group_size = 0;  ///< -1 per channel
  bool sym = true;
  std::string error;  ///< the loader raises here: the exception's type
  std::string error_text;
  std::int32_t entry = -1;  ///< override or group that decided, -1 the global scheme

  [[nodiscard]] bool raises() const { return !error.empty(); }
};

/// One module as the loader builds it; fused ones have several members.
struct PlannedModule {
  std::string name;                    ///< the loader's own name; empty when it is the blueprint's
  std::vector<std::uint32_t> members;  ///< blueprint modules
  Decision decision;
};

struct LoadPlan {
  Loader loader = Loader::vllm;
  bool predicted = true;
  std::string why_not;  ///< when not predicted
  std::string refused;  ///< the whole config is refused: why
  std::vector<PlannedModule> modules;
  std::vector<std::int32_t> of_module;  ///< blueprint module -> planned module, -1 not built

  [[nodiscard]] const Decision* decision(std::uint32_t module) const {
    const std::int32_t at = of_module[module];
    return at < 0 ? nullptr : &modules[static_cast<std::size_t>(at)].decision;
  }
};

/// Predicts what `loader` does. `config` and `blueprint` belong together.
[[nodiscard]] LoadPlan make_plan(Loader loader, const config::ModelConfig& config,
                                 const arch::Blueprint& blueprint);

/// What the config says when it is read strictly by its own format's rules, with full HF names and
/// routers counted as linears: the reading that every loader, old and new, agrees on. Methods whose
/// loaders look at the headers first (GPTQ, AWQ) are not predicted.
[[nodiscard]] LoadPlan read_intent(const config::ModelConfig& config,
                                   const arch::Blueprint& blueprint);

}  // namespace ckpt::loaders
