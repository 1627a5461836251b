#pragma once
// A recipe: the precision that each class of modules is meant to have.

#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "validator/arch/blueprint.h"
#include "validator/base/result.h"
#include "validator/config/model_config.h"

namespace ckpt::rules {

/// `8`, `4 g32`: bits and perhaps the size of a group (-1: one per row). 16 means not quantized.
struct Precision {
  int bits = 16;
  std::optional<int> group_size;
};

/// What is stored should be this; a class that is absent may be anything.
struct Recipe {
  std::map<arch::ModuleClass, Precision> classes;
  std::set<int> boundary_layers;  ///< -1 is the last one
  std::optional<Precision> boundary;
  std::set<std::pair<int, int>> super_experts;  ///< layer, expert
  std::optional<Precision> super;

  /// What a module should have, if anything is said of it. A boundary layer goes before its
  /// super-experts, these before the class; routers and gates keep their class's word everywhere.
  [[nodiscard]] const Precision* of(const arch::Module& module, int layers) const;
};

/// Keys of `[recipe]` with what they mean, in the order of the documentation.
struct RecipeKey {
  std::string_view name;
  std::string_view what;
};

[[nodiscard]] const std::vector<RecipeKey>& recipe_keys();

/// Names of the recipes that come with the program: those of published checkpoints.
[[nodiscard]] std::vector<std::string> recipe_presets();

/// Reads `[recipe]`: key to text. `preset` is the ground that the other keys change. Errors: usage
/// (a preset, key or precision that is not known, layers or experts without their precision or the
/// other way round; named).
[[nodiscard]] Result<Recipe> read_recipe(const std::map<std::string, std::string>& table);

/// Whether the recipe can be meant for such a model. Errors: usage (a layer, an expert or a class
/// that the model does not have, named).
[[nodiscard]] Result<void> check_recipe(const Recipe& recipe, const config::TextConfig& model);

}  // namespace ckpt::rules
