#pragma once
// Helpers that rules share: places, groups of modules, effects.

#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "validator/loaders/outcome.h"
#include "validator/rules/rule.h"

namespace ckpt::rules {

/// A value in a JSON document of the repo, underlined in whole (strings with their quotes).
[[nodiscard]] results::Location at_json(const std::string& file, const std::string& pointer,
                                        const json::Value& value);

/// A stored tensor, with dtype and shape.
[[nodiscard]] results::Location at_tensor(const RuleInput& in, std::uint32_t tensor);

/// A module, and its first stored tensor when there is one.
[[nodiscard]] results::Location at_module(const RuleInput& in, std::uint32_t module);

/// Adds a place unless the draft holds the most it may.
void add_place(Draft& draft, results::Location place);

/// Adds modules, or stored tensors, as far as the draft may hold places: nothing is built beyond.
void add_modules(const RuleInput& in, const std::vector<std::uint32_t>& modules, Draft& draft);
void add_tensors(const RuleInput& in, const std::vector<std::uint32_t>& tensors, Draft& draft);

/// `1 router`, `60 routers`: a class in words, with its number.
[[nodiscard]] std::string counted(std::uint64_t n, arch::ModuleClass cls);

/// Tensors of the container with a defect of `kind`: one finding each, or one for all of a file
/// when `grouped`.
void emit_defects(const RuleInput& in, const Emit& emit, container::DefectKind kind,
                  const std::function<void(const container::Defect&, Draft&)>& complete);

/// Config defects of `kind`, one finding each.
void emit_config_defects(const RuleInput& in, const Emit& emit, config::DefectKind kind,
                         const std::string& effect, const std::string& fix);

/// What every predicted loader does to these modules: the worst outcome of each, in words.
[[nodiscard]] std::vector<results::Effect> effects_on(const RuleInput& in,
                                                      const std::vector<std::uint32_t>& modules);

/// State a loader reaches by one outcome (first table of the loaders page).
[[nodiscard]] results::LoaderState state_of(loaders::Loader loader, loaders::Outcome outcome,
                                            const arch::Module& module,
                                            const loaders::Decision* decision);

/// All three loaders fail to open the file.
[[nodiscard]] std::vector<results::Effect> every_loader(results::LoaderState state,
                                                        const std::string& text);

/// True for the name of a tensor of quantization scales.
[[nodiscard]] bool is_scale_name(std::string_view name);

/// True when the fact is about a tensor of quantization scales.
[[nodiscard]] bool is_scale(const RuleInput& in, const ValueFact& fact);

/// Modules grouped by class, in blueprint order.
using ModulesByClass = std::map<arch::ModuleClass, std::vector<std::uint32_t>>;

/// True when a config with a quantization block of `method` was read and matched.
[[nodiscard]] bool quantized_by(const RuleInput& in, config::QuantMethod method);

/// Overrides (index) whose key names nothing, with the module names the key would name if its
/// prefix were right (empty when there is no such repair).
struct DeadOverride {
  std::size_t index = 0;
  std::string repaired;
};

[[nodiscard]] std::vector<DeadOverride> dead_overrides(const RuleInput& in);

/// True when no list of blocks limits the scheme, so that it covers vision modules stored plain.
[[nodiscard]] std::vector<std::uint32_t> undeclared_vision(const RuleInput& in);

/// Experts on disk in each trunk layer: largest number in a name (or stacked axis) plus one.
[[nodiscard]] std::map<int, std::uint64_t> experts_on_disk(const RuleInput& in);

/// True when the expert count of the config is not the one on disk, in all layers alike or in the
/// routers, so that single missing experts say nothing.
[[nodiscard]] bool expert_count_differs(const RuleInput& in, std::uint64_t& on_disk);

}  // namespace ckpt::rules
