#pragma once
// Shared by the files of this folder only.

#include <optional>
#include <string>
#include <vector>

#include "validator/loaders/pattern.h"
#include "validator/loaders/plan.h"

namespace ckpt::loaders {

/// Adds one planned module and points its members to it.
void add_module(LoadPlan& plan, std::string name, std::vector<std::uint32_t> members,
                Decision decision);

/// How vLLM 0.33 and SGLang cut a model: fused modules and their members, with the class name.
struct EngineModule {
  std::string name;  ///< HF spelling, fused (`...self_attn.qkv_proj`, `...mlp.experts`)
  std::string_view cls;
  std::vector<std::uint32_t> members;
  bool quant_config = true;
};

[[nodiscard]] std::vector<EngineModule> engine_modules(const arch::Blueprint& blueprint);

/// The parts a fused name stands for: `qkv_proj` -> q_proj, k_proj, v_proj. Empty when not fused.
struct FusedName {
  std::string_view fused;
  std::vector<std::string_view> members;
};

[[nodiscard]] const std::vector<FusedName>& fused_names();

/// Names of the members of `name` when a fused name occurs in it exactly once, else empty.
[[nodiscard]] std::vector<std::string> member_names(std::string_view name);

/// AutoRound's `extra_config` as a lookup: exact keys, then the first matching pattern.
class OverrideTable {
 public:
  /// `keys` as the consumer sees them (after its own name map), in file order. Only keys for which
  /// `is_pattern` holds are tried as patterns.
  OverrideTable(const config::QuantConfig& quant, std::vector<std::string> keys,
                const std::vector<bool>& is_pattern, Anchor anchor);

  [[nodiscard]] int exact(std::string_view name) const;
  [[nodiscard]] int pattern(std::string_view name) const;
  /// First key that is a dotted suffix of `name`.
  [[nodiscard]] int suffix(std::string_view name) const;
  /// The decision of an entry: its fields, the rest from the global scheme.
  [[nodiscard]] Decision entry(int index) const;
  /// The global scheme, quantized.
  [[nodiscard]] Decision global() const;

 private:
  const config::QuantConfig& q_;
  std::vector<std::string> keys_;
  std::vector<std::pair<std::string_view, int>> sorted_;
  std::vector<int> pattern_index_;
  PatternSet patterns_;
};

// One loader and one method each; `plan` arrives empty with `of_module` sized.
void plan_vllm_auto_round(const config::ModelConfig& config, const arch::Blueprint& blueprint,
                          LoadPlan& plan);
void plan_vllm_compressed_tensors(const config::ModelConfig& config,
                                  const arch::Blueprint& blueprint, LoadPlan& plan);
void plan_transformers_auto_round(const config::ModelConfig& config,
                                  const arch::Blueprint& blueprint, LoadPlan& plan);
void plan_transformers_compressed_tensors(const config::ModelConfig& config,
                                          const arch::Blueprint& blueprint, LoadPlan& plan);
void plan_vllm(const config::ModelConfig& config, const arch::Blueprint& blueprint, LoadPlan& plan);
void plan_transformers(const config::ModelConfig& config, const arch::Blueprint& blueprint,
                       LoadPlan& plan);

/// compressed-tensors' own matching (utils/match.py): exact, regex, class; alphabetical in each.
class TargetTable {
 public:
  TargetTable(const config::QuantConfig& quant, bool file_order);
  [[nodiscard]] bool ignored(std::string_view name, std::string_view cls) const;
  /// Index of the group that takes the module, or -1.
  [[nodiscard]] int group(std::string_view name, std::string_view cls) const;
  [[nodiscard]] Decision decision(int group) const;

 private:
  const config::QuantConfig& q_;

  struct Target {
    std::string text;
    int group;
  };

  std::vector<Target> targets_;
  std::vector<std::string> ignore_;
  PatternSet ignore_patterns_;
  PatternSet target_patterns_;
};

}  // namespace ckpt::loaders
