#pragma once
// Shared by the files of this folder only.

#include <optional>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "validator/loaders/pattern.h"
#include "validator/loaders/plan.h"

namespace ckpt::loaders {

/// Sizes the tables of a plan. `fused`: a layer's experts are one module, so that few are expected.
void start_plan(LoadPlan& plan, const arch::Blueprint& blueprint, bool fused);

/// Adds one planned module and points its members to it.
void add_module(LoadPlan& plan, std::string name, std::vector<std::uint32_t> members,
                Decision decision);
void add_module(LoadPlan& plan, std::string name, std::uint32_t member, Decision decision);

/// How vLLM 0.33 and SGLang cut a model: fused modules and their members, with the class name.
inline constexpr std::string_view kRoutedExperts = "RoutedExperts";
inline constexpr std::string_view kHead = "ParallelLMHead";

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

// AutoRound's two packings that every engine takes.
inline constexpr std::string_view kAutoGptq = "auto_round:auto_gptq";
inline constexpr std::string_view kAutoAwq = "auto_round:auto_awq";

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
  std::unordered_map<std::string_view, int> exact_;  ///< of equal keys the last
  std::size_t shortest_ = 0;                         ///< lengths of the keys: most names have none
  std::size_t longest_ = 0;
  std::vector<int> pattern_index_;
  PatternSet patterns_;
};

/// What every plan function of this folder gets; `plan` arrives empty with `of_module` sized.
struct PlanArgs {
  const config::ModelConfig& config;
  const arch::Blueprint& blueprint;
  const StoredNames* stored;  ///< null: no headers were read
  LoadPlan& plan;

  [[nodiscard]] const config::QuantConfig& quant() const { return *config.quant; }
};

/// Both engines stop at a method they do not know.
void refuse_unknown_method(const PlanArgs& args);
/// No plan for this method.
void not_predicted(const PlanArgs& args);

// One loader each, for whatever method the config names.
void plan_vllm(const PlanArgs& args);
void plan_transformers(const PlanArgs& args);
void plan_sglang(const PlanArgs& args);

// One loader and one method each.
void plan_vllm_auto_round(const PlanArgs& args);
void plan_vllm_compressed_tensors(const PlanArgs& args);
void plan_vllm_gptq(const PlanArgs& args);
void plan_vllm_awq(const PlanArgs& args);
void plan_vllm_fp8(const PlanArgs& args);
void plan_sglang_auto_round(const PlanArgs& args);
void plan_sglang_compressed_tensors(const PlanArgs& args);
void plan_sglang_gptq(const PlanArgs& args);
void plan_sglang_awq(const PlanArgs& args);
void plan_sglang_fp8(const PlanArgs& args);
void plan_transformers_auto_round(const PlanArgs& args);
void plan_transformers_compressed_tensors(const PlanArgs& args);
void plan_transformers_awq(const PlanArgs& args);
void plan_transformers_fp8(const PlanArgs& args);

/// The quantization block that transformers sees: the one in config.json, never a side file.
[[nodiscard]] const config::QuantConfig* transformers_quant(const config::ModelConfig& config);

/// A decision that is an exception.
[[nodiscard]] Decision raises(std::string type, std::string text);

/// Name of the engine module for an HF module name, and the map that its patterns go through.
class NameMap {
 public:
  /// vLLM: the literal prefix map of the two classes (WeightsMapper).
  static NameMap vllm(config::ModelClass cls);

  /// SGLang maps nothing.
  static NameMap none() { return {}; }

  /// A key or pattern of the config, mapped where it begins with a mapped prefix.
  [[nodiscard]] std::string text(std::string_view name) const;
  [[nodiscard]] std::string module(std::string_view name) const;

 private:
  std::vector<std::pair<std::string_view, std::string_view>> rules_;
  std::string head_ = "lm_head";
};

/// Walks the engine modules of a vLLM or SGLang plan: `decide(name, module)` for each one that is
/// built with the quantization config.
template <class Decide>
void plan_engine_modules(const PlanArgs& args, std::vector<EngineModule> modules,
                         const NameMap& names, Decide&& decide) {
  for (EngineModule& e : modules) {
    std::string name = names.module(e.name);
    Decision d;
    d.built_without_config = !e.quant_config;
    if (e.quant_config) d = decide(name, e);
    add_module(args.plan, std::move(name), std::move(e.members), std::move(d));
  }
}

/// The engine modules as SGLang builds them: the vision tower gets no config, and its attention is
/// named `qkv_proj`.
[[nodiscard]] std::vector<EngineModule> sglang_modules(const arch::Blueprint& blueprint);

[[nodiscard]] inline bool is_experts(const EngineModule& e) {
  return e.cls == kRoutedExperts;
}

[[nodiscard]] inline bool is_head(const EngineModule& e) {
  return e.cls == kHead;
}

/// Group sizes for which the Marlin kernels exist (marlin_utils.py of both engines).
[[nodiscard]] bool marlin_group(std::int64_t group_size);

/// The GPTQ codes that both engines have a kernel for: 4 or 8 bits, symmetric.
[[nodiscard]] bool gptq_type(const Decision& d);

/// Groups and ignore list of a compressed-tensors config as a lookup.
class TargetTable {
 public:
  /// `map` renames patterns that name modules (a dot, no `re:`). `file_order`: as the engines do;
  /// otherwise alphabetical, as compressed-tensors itself does (utils/match.py).
  TargetTable(const config::QuantConfig& quant, const NameMap& map, bool file_order);

  [[nodiscard]] bool ignored(std::string_view name, std::string_view cls) const;
  /// True when the name itself is listed.
  [[nodiscard]] bool ignored_exactly(std::string_view name) const;
  /// SGLang: also when a pattern is a dotted suffix of the name.
  [[nodiscard]] bool ignored_suffix(std::string_view name) const;
  /// Group of the first target that names the module exactly, else by regex; -1 when none does.
  [[nodiscard]] int group_by_name(std::string_view name) const;
  /// SGLang: the first target in file order that does either.
  [[nodiscard]] int group_in_order(std::string_view name) const;
  /// Group of the first class target contained in `cls`, ignoring case, or -1.
  [[nodiscard]] int group_by_class(std::string_view cls) const;
  /// group_by_name, else group_by_class.
  [[nodiscard]] int group(std::string_view name, std::string_view cls) const;
  [[nodiscard]] Decision decision(int group) const;

 private:
  const config::QuantConfig& q_;

  struct Target {
    std::string text;
    int group;
  };

  std::vector<Target> targets_;
  std::unordered_map<std::string, int> exact_;  ///< target text -> lowest index
  std::unordered_set<std::string> ignore_;
  PatternSet ignore_patterns_;
  PatternSet target_patterns_;
};

/// True when two modules of an engine may share a fused module.
[[nodiscard]] bool same_scheme(const Decision& a, const Decision& b);
/// The engines' answer to expert projections with different schemes.
[[nodiscard]] Decision different_projections();
/// What the choice of a compressed-tensors kernel adds: integers without input activations need
/// groups or channels, and, unless `dense_any_width`, 4 or 8 packed bits in dense modules.
[[nodiscard]] Decision ct_kernel(Decision d, bool experts, bool dense_any_width);
/// "" or why compressed-tensors 0.19 refuses the config as a whole.
[[nodiscard]] std::string removed_actorder(const config::QuantConfig& quant);

/// GPTQModel's `dynamic`: the first pattern that matches from the start of a name decides.
class DynamicTable {
 public:
  explicit DynamicTable(const config::QuantConfig& quant);

  /// Changes `d` as the first matching rule says; false when that rule excludes the module.
  [[nodiscard]] bool apply(std::string_view name, Decision& d) const;

 private:
  const config::QuantConfig& q_;
  PatternSet patterns_;
};

/// The global scheme of a GPTQ or AWQ block.
[[nodiscard]] Decision gptq_scheme(const config::QuantConfig& quant);
[[nodiscard]] Decision awq_scheme(const config::QuantConfig& quant);
/// FP8, in blocks when `weight_block_size` is a pair.
[[nodiscard]] Decision fp8_scheme(const config::QuantConfig& quant);
/// Why both engines refuse an FP8 block, or "".
[[nodiscard]] std::string fp8_refusal(const config::QuantConfig& quant);
/// FP8: `ignored_layers`, else `modules_to_not_convert`.
[[nodiscard]] const std::vector<config::Pattern>& fp8_exclusions(const config::QuantConfig& quant);

/// Texts of a pattern list, after the loader's name map.
[[nodiscard]] std::vector<std::string> mapped(const std::vector<config::Pattern>& patterns,
                                              const NameMap& names);

/// True or false when all members of a fused module are alike under `skipped`; the error that both
/// engines raise otherwise goes to `error`.
template <class Skipped>
bool skipped_alike(const std::string& name, Skipped&& skipped, std::optional<Decision>& error) {
  const std::vector<std::string> members = member_names(name);
  if (members.empty()) return skipped(name);
  const bool first = skipped(members[0]);
  for (const std::string& m : members) {
    if (skipped(m) != first) {
      error = raises("ValueError", "Detected some but not all shards of " + name +
                                       " are quantized. All shards of fused layers to have the "
                                       "same precision.");
      return false;
    }
  }
  return first;
}

}  // namespace ckpt::loaders
