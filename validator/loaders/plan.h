#pragma once
// What one loader will do with every module, predicted from config, names and shapes alone. Source
// of the predictions: the loaders page, checked against the loaders' recorded decisions.

#include <array>
#include <cstdint>
#include <deque>
#include <optional>
#include <span>
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

/// What a loader resolves for one of its modules. The views point into the config, which must
/// outlive the plan, or at literals.
struct Decision {
  bool quantized = false;
  bool built_without_config = false;  ///< 16 bits whatever the config says
  bool sym = true;
  bool desc_act = false;  ///< GPTQ: groups follow the activation order
  std::int64_t bits = 16;
  std::int64_t group_size = 0;          ///< -1 per channel
  std::int64_t input_bits = 0;          ///< of the input activations, 0 when they are not quantized
  std::array<std::int64_t, 2> block{};  ///< rows and columns of an FP8 block, {0, 0}: none
  std::string_view strategy;            ///< `group`, `channel`, `tensor`, `block`; may be empty
  std::string_view type;                ///< `int`, `float`, AutoRound's data_type
  std::string_view format;              ///< `auto_round:auto_gptq`, `pack-quantized`, ...
  std::string error;                    ///< the loader raises here: the exception's type
  std::string error_text;
  std::int32_t entry = -1;  ///< override or group that decided, -1 the global scheme

  [[nodiscard]] bool raises() const { return !error.empty(); }

  friend bool operator==(const Decision&, const Decision&) = default;
};

/// One module as the loader builds it; fused ones have several members. Lives as long as its plan.
struct PlannedModule {
  std::string name;  ///< the loader's own name; empty when it is the blueprint's
  std::span<const std::uint32_t> members;  ///< blueprint modules
  const Decision& decision;                ///< shared: a model has a few schemes and 60,000 modules
};

struct LoadPlan {
  LoadPlan() = default;
  LoadPlan(LoadPlan&&) = default;
  LoadPlan& operator=(LoadPlan&&) = default;
  // The modules point into the two stores below: a copy would point into the original.
  LoadPlan(const LoadPlan&) = delete;
  LoadPlan& operator=(const LoadPlan&) = delete;
  ~LoadPlan() = default;

  Loader loader = Loader::vllm;
  bool predicted = true;
  std::string why_not;  ///< when not predicted
  std::string refused;  ///< the whole config is refused: why
  std::vector<PlannedModule> modules;
  std::vector<std::int32_t> of_module;  ///< blueprint module -> planned module, -1 not built

  std::deque<Decision> decisions;                ///< what modules[].decision points at
  std::deque<std::vector<std::uint32_t>> fused;  ///< members of modules with several
  std::vector<std::uint32_t> single;             ///< 0, 1, 2, ...: members of modules with one

  [[nodiscard]] const Decision* decision(std::uint32_t module) const {
    const std::int32_t at = of_module[module];
    return at < 0 ? nullptr : &modules[static_cast<std::size_t>(at)].decision;
  }
};

/// Names of stored modules (a tensor's name without its last part), as vLLM collects them from the
/// headers of GPTQ and AWQ repos: packed when a tensor of theirs is none of F16, BF16, F32.
struct StoredNames {
  std::vector<std::string> packed;
  std::vector<std::string> plain;
};

/// Reads the names when the config's method is one for which a loader asks the headers; nothing for
/// other methods, and when no header could be read.
[[nodiscard]] std::optional<StoredNames> stored_names(const config::ModelConfig& config,
                                                      const container::Checkpoint& checkpoint);

/// Predicts what `loader` does. `config` and `blueprint` belong together. Without `stored` a loader
/// that would read headers finds none.
[[nodiscard]] LoadPlan make_plan(Loader loader, const config::ModelConfig& config,
                                 const arch::Blueprint& blueprint,
                                 const StoredNames* stored = nullptr);

/// What in the config decided: `extra_config "..."`, `config_groups.group_0`, `the global scheme`.
[[nodiscard]] std::string decided_by(const config::ModelConfig& config, const Decision& decision);

/// What the config says when it is read strictly by its own format's rules, with full HF names and
/// routers counted as linears: the reading that every loader, old and new, agrees on. Methods whose
/// loaders look at the headers first (GPTQ, AWQ) are not predicted.
[[nodiscard]] LoadPlan read_intent(const config::ModelConfig& config,
                                   const arch::Blueprint& blueprint);

}  // namespace ckpt::loaders
