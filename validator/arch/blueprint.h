#pragma once
// What an architecture must contain: every module and tensor, derived from the config alone.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "validator/arch/member.h"
#include "validator/base/dtype.h"
#include "validator/base/result.h"
#include "validator/config/model_config.h"

namespace ckpt::arch {

enum class ModuleClass : std::uint8_t {
  embedding,
  head,
  norm,
  router,
  routed_expert,
  shared_expert,
  shared_expert_gate,
  full_attention,
  linear_attention,
  dense_mlp,
  vision,
  mtp,
};
[[nodiscard]] std::string_view class_name(ModuleClass cls);  ///< `routed_expert`

/// Which part of its expert a routed-expert module is; also the order inside the expert.
enum class ExpertPart : std::uint8_t { gate, up, down, none };

/// One named node. A linear has weight [out, in]. Routed experts always stand here in the spelling
/// `experts.{e}.gate_proj`; how a file spells them is a Spelling.
struct Module {
  std::string
      name;  ///< `model.layers.0.mlp.gate`; a bare parameter such as A_log is its own module
  ModuleClass cls = ModuleClass::norm;
  bool linear = false;        ///< an nn.Linear: quantizers may take it (the router is one on disk)
  bool bare = false;          ///< the tensor is `name` itself, without `.weight`
  bool bias = false;          ///< a `.bias` of [shape[0]] exists too
  bool float32_kept = false;  ///< releases store it in F32 (A_log, linear_attn.norm)
  int layer = -1;             ///< within the trunk, the vision tower, or the MTP head
  int expert = -1;
  ExpertPart part = ExpertPart::none;
  Shape shape;  ///< of the weight
};

/// The routed experts of one layer: modules[first + 3*e + part].
struct ExpertBlock {
  std::uint32_t first = 0;
  int layer = -1;
  bool mtp = false;
  std::string prefix;  ///< `model.layers.0.mlp.experts`
};

/// How a file spells routed experts.
enum class Spelling : std::uint8_t {
  plain,             ///< not a routed expert
  per_expert,        ///< experts.{e}.gate_proj.*
  stacked,           ///< experts.gate_up_proj [E, 2I, H] (and its quantized forms)
  gate_up_suffixed,  ///< experts.gate_up_proj.{e}.* (auto-round 0.10)
  gate_up_prefixed,  ///< experts.{e}.gate_up_proj.*
};
[[nodiscard]] std::string_view spelling_pattern(Spelling spelling);

/// How a file's name of a text tensor begins.
enum class Prefix : std::uint8_t {
  language_model,       ///< model.language_model.layers...
  model,                ///< model.layers...
  bare_language_model,  ///< language_model.layers...
  none,                 ///< layers...
  engine,               ///< language_model.model.layers... (an engine's internal names)
  doubled,              ///< model.language_model.language_model...
};
[[nodiscard]] std::string_view prefix_text(Prefix prefix);

/// Where a stored tensor belongs. For expert spellings that join modules, `module` is the first of
/// them (expert 0 when stacked; gate when gate and up are joined).
struct Placement {
  std::int32_t module = -1;  ///< -1: no place in the blueprint
  Spelling spelling = Spelling::plain;
  Prefix prefix = Prefix::model;
  bool text = false;             ///< a text tensor, for which prefix means something
  bool down = false;             ///< down_proj
  bool joined = false;           ///< gate_up_proj: gate and up are halves of one tensor
  std::optional<Member> member;  ///< none: the tensor is named like a module
  int layer = -1;                ///< parsed from the name even when there is no place
  int expert = -1;
};

/// The table of modules of one config. Immutable after build; const methods are thread-safe.
class Blueprint {
 public:
  Blueprint() = default;
  Blueprint(Blueprint&&) = default;
  Blueprint& operator=(Blueprint&&) = default;
  // The name index points into the modules: a copy would point into the original.
  Blueprint(const Blueprint&) = delete;
  Blueprint& operator=(const Blueprint&) = delete;
  ~Blueprint() = default;

  [[nodiscard]] const std::vector<Module>& modules() const { return modules_; }

  [[nodiscard]] const std::vector<ExpertBlock>& expert_blocks() const { return blocks_; }

  [[nodiscard]] const config::ModelConfig& config() const { return *config_; }

  /// `model.language_model.` or `model.`: what the model class asks for.
  [[nodiscard]] const std::string& text_prefix() const { return text_prefix_; }

  /// Index of a module by its blueprint name, or -1.
  [[nodiscard]] std::int32_t find(std::string_view name) const;
  /// The block of a trunk layer, or null (dense models).
  [[nodiscard]] const ExpertBlock* experts_of_layer(int layer) const;
  /// Finds the place of a stored tensor name, whatever its prefix and expert spelling.
  [[nodiscard]] Placement locate(std::string_view tensor_name) const;

 private:
  friend class BlueprintBuilder;

  /// The block whose prefix is `prefix` + `rest`, or null.
  [[nodiscard]] const ExpertBlock* block_of(std::string_view prefix, std::string_view rest,
                                            int layer) const;
  /// Fills `p` for a module name `prefix` + `rest` in which `.experts.` stands at `experts` of
  /// `rest`.
  void place_expert(std::string_view prefix, std::string_view rest, std::size_t experts,
                    Placement& p) const;

  const config::ModelConfig* config_ = nullptr;
  std::string text_prefix_;
  std::vector<Module> modules_;
  std::vector<ExpertBlock> blocks_;
  std::vector<std::int32_t> block_of_layer_;
  std::unordered_map<std::string_view, std::int32_t> by_name_;  ///< without routed experts
};

/// Builds the blueprint of a supported config, which must outlive it. With `mtp`, the MTP head's
/// modules (config: mtp_num_hidden_layers) are included. Errors: unsupported (architecture);
/// limit (the config claims more modules than `max_modules`: nothing is allocated for numbers that
/// nothing on disk backs).
[[nodiscard]] Result<Blueprint> build_blueprint(const config::ModelConfig& config,
                                                std::uint64_t max_modules);

}  // namespace ckpt::arch
