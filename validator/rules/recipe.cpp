#include "validator/rules/recipe.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "validator/base/text.h"

namespace ckpt::rules {
namespace {

using arch::ModuleClass;
using Table = std::map<std::string, std::string>;

constexpr std::pair<std::string_view, ModuleClass> kClasses[] = {
    {"full_attention", ModuleClass::full_attention},
    {"linear_attention", ModuleClass::linear_attention},
    {"routed_experts", ModuleClass::routed_expert},
    {"shared_expert", ModuleClass::shared_expert},
    {"shared_expert_gate", ModuleClass::shared_expert_gate},
    {"routers", ModuleClass::router},
    {"dense_mlp", ModuleClass::dense_mlp},
    {"embedding", ModuleClass::embedding},
    {"head", ModuleClass::head},
    {"vision", ModuleClass::vision},
    {"draft_head", ModuleClass::mtp},
};

/// Published recipes of the family. AutoRound's skip the small in_proj_a and in_proj_b, so nothing
/// is said of linear attention as a whole.
const std::map<std::string, Table>& presets() {
  static const Table kAutoRound{{"routed_experts", "4 g128"}, {"shared_expert", "4 g128"},
                                {"full_attention", "4 g128"}, {"routers", "16"},
                                {"shared_expert_gate", "16"}, {"vision", "16"},
                                {"embedding", "16"},          {"head", "16"}};
  static const Table kMixed{{"routed_experts", "4 g32"},
                            {"full_attention", "8"},
                            {"shared_expert", "16"},
                            {"shared_expert_gate", "16"},
                            {"linear_attention", "16"},
                            {"routers", "16"},
                            {"draft_head", "16"},
                            {"embedding", "16"},
                            {"head", "16"},
                            {"boundary_precision", "16"},
                            {"boundary_layers", "0 1 last"},
                            {"super_expert_precision", "8"}};
  static const std::map<std::string, Table> kPresets{
      {"w4a16-g128-autoround", kAutoRound},  // cards 000, 001, 002, 003
      {"reap-26b-a3b-w4a16", kAutoRound},    // card 000
      {"reap-20b-a3b-w4a16", kAutoRound},    // card 001
      {"reap-262b-a17b-w4a16", kAutoRound},  // card 002
      {"reap-212b-a17b-w4a16", kAutoRound},  // card 003
      {"mixed-w4a16-w8a16", kMixed},         // card 004
  };
  return kPresets;
}

tl::unexpected<Error> wrong(std::string_view key, std::string_view value, std::string_view want) {
  return fail(ErrorKind::usage,
              fmt::format("[recipe] {} = `{}`: write {}", key, shown(value, 60), want));
}

std::vector<std::string_view> words(std::string_view text) {
  std::vector<std::string_view> out;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t begin = text.find_first_not_of(" ,", at);
    if (begin == std::string_view::npos) break;
    const std::size_t end = std::min(text.find_first_of(" ,", begin), text.size());
    out.push_back(text.substr(begin, end - begin));
    at = end;
  }
  return out;
}

bool read_number(std::string_view text, int& out) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  return error == std::errc{} && end == text.data() + text.size();
}

Result<Precision> read_precision(std::string_view key, std::string_view text) {
  const auto parts = words(text);
  Precision p;
  int group = 0;
  const bool bits = !parts.empty() && parts.size() <= 2 && read_number(parts[0], p.bits) &&
                    p.bits >= 1 && p.bits <= 16;
  const bool sized = parts.size() == 2 && parts[1].starts_with('g') &&
                     read_number(parts[1].substr(1), group) && (group > 0 || group == -1);
  if (!bits || (parts.size() == 2 && !sized)) {
    return wrong(key, text, "bits such as 8, bits and group such as `4 g32`, or 16");
  }
  if (sized) p.group_size = group;
  return p;
}

/// Replaces what a preset said.
Result<void> read_layers(std::string_view text, Recipe& recipe) {
  recipe.boundary_layers.clear();
  if (text == "none") return {};
  for (const std::string_view word : words(text)) {
    int layer = -1;
    if (word != "last" && (!read_number(word, layer) || layer < 0)) {
      return wrong("boundary_layers", text, "layers such as `0 1 last`, or none");
    }
    recipe.boundary_layers.insert(layer);
  }
  return {};
}

Result<void> read_experts(std::string_view text, Recipe& recipe) {
  recipe.super_experts.clear();
  for (const std::string_view word : words(text)) {
    const std::size_t colon = word.find(':');
    int layer = 0;
    int expert = 0;
    if (colon == std::string_view::npos || !read_number(word.substr(0, colon), layer) ||
        !read_number(word.substr(colon + 1), expert) || layer < 0 || expert < 0) {
      return wrong("super_experts", text, "LAYER:EXPERT, such as `12:171 39:4`");
    }
    recipe.super_experts.emplace(layer, expert);
  }
  return {};
}

/// Layers and experts of their own precision come with it, and it with them.
Result<void> check_pairs(const Table& table, const Recipe& recipe) {
  const auto lacks = [](std::string_view has, std::string_view misses) {
    return fail(ErrorKind::usage, fmt::format("[recipe] has {} without {}", has, misses));
  };
  if (!recipe.boundary_layers.empty() && !recipe.boundary) {
    return lacks("boundary_layers", "boundary_precision");
  }
  if (!recipe.super_experts.empty() && !recipe.super) {
    return lacks("super_experts", "super_expert_precision");
  }
  if (table.contains("boundary_precision") && recipe.boundary_layers.empty()) {
    return lacks("boundary_precision", "boundary_layers");
  }
  if (table.contains("super_expert_precision") && recipe.super_experts.empty()) {
    return lacks("super_expert_precision", "super_experts");
  }
  return {};
}

Result<void> read_key(const std::string& key, const std::string& value, Recipe& recipe) {
  if (key == "preset") return {};
  if (key == "boundary_layers") return read_layers(value, recipe);
  if (key == "super_experts") return read_experts(value, recipe);
  if (key == "boundary_precision") {
    CKPT_TRY(recipe.boundary, read_precision(key, value), "recipe");
    return {};
  }
  if (key == "super_expert_precision") {
    CKPT_TRY(recipe.super, read_precision(key, value), "recipe");
    return {};
  }
  const auto* at =
      std::ranges::find(kClasses, key, &std::pair<std::string_view, ModuleClass>::first);
  if (at == std::end(kClasses)) {
    return fail(ErrorKind::usage, fmt::format("[recipe] has no key `{}`", shown(key, 40)));
  }
  if (value == "any") {
    recipe.classes.erase(at->second);
    return {};
  }
  CKPT_TRY(recipe.classes[at->second], read_precision(key, value), "recipe");
  return {};
}

}  // namespace

const Precision* Recipe::of(const arch::Module& m, int layers) const {
  const auto cls = classes.find(m.cls);
  const Precision* said = cls == classes.end() ? nullptr : &cls->second;
  if (m.cls == ModuleClass::router || m.cls == ModuleClass::shared_expert_gate || m.layer < 0 ||
      m.cls == ModuleClass::vision || m.cls == ModuleClass::mtp || m.cls == ModuleClass::norm) {
    return said;
  }
  if (boundary && (boundary_layers.contains(m.layer) ||
                   (m.layer == layers - 1 && boundary_layers.contains(-1)))) {
    return &*boundary;
  }
  if (super && m.expert >= 0 && super_experts.contains({m.layer, m.expert})) return &*super;
  return said;
}

const std::vector<RecipeKey>& recipe_keys() {
  static const std::vector<RecipeKey> kKeys{
      {"preset", "a published recipe to start from"},
      {"full_attention", "bits, such as 8; with a group, such as `4 g128`; 16; any"},
      {"linear_attention", "the same"},
      {"routed_experts", "the same"},
      {"shared_expert", "the same"},
      {"shared_expert_gate", "the same"},
      {"routers", "the same"},
      {"dense_mlp", "the same"},
      {"embedding", "the same"},
      {"head", "the same"},
      {"vision", "the same"},
      {"draft_head", "the same, for MTP"},
      {"boundary_layers", "layers with a precision of their own, such as `0 1 last`; none"},
      {"boundary_precision", "their precision; routers and gates keep theirs"},
      {"super_experts", "experts with a precision of their own, such as `12:171 39:4`"},
      {"super_expert_precision", "their precision"},
  };
  return kKeys;
}

std::vector<std::string> recipe_presets() {
  std::vector<std::string> out;
  for (const auto& [name, table] : presets()) out.push_back(name);
  return out;
}

Result<Recipe> read_recipe(const Table& table) {
  Recipe recipe;
  if (const auto preset = table.find("preset"); preset != table.end()) {
    const auto at = presets().find(preset->second);
    if (at == presets().end()) {
      return wrong("preset", preset->second,
                   fmt::format("one of {}", fmt::join(recipe_presets(), ", ")));
    }
    for (const auto& [key, value] : at->second) {
      CKPT_TRY_VOID(read_key(key, value, recipe), "preset");
    }
  }
  for (const auto& [key, value] : table) CKPT_TRY_VOID(read_key(key, value, recipe), "recipe");
  CKPT_TRY_VOID(check_pairs(table, recipe), "recipe");
  return recipe;
}

Result<void> check_recipe(const Recipe& recipe, const config::TextConfig& model) {
  const auto refuse = [](const std::string& text) {
    return fail(ErrorKind::usage, "[recipe] " + text);
  };
  for (const int layer : recipe.boundary_layers) {
    if (layer < model.num_hidden_layers) continue;
    return refuse(fmt::format("boundary_layers names layer {}, the last one is {}", layer,
                              model.num_hidden_layers - 1));
  }
  for (const auto& [layer, expert] : recipe.super_experts) {
    if (model.moe && layer < model.num_hidden_layers && expert < model.num_experts) continue;
    return refuse(fmt::format("super_experts names {}:{}, the model has {} layers of {} experts",
                              layer, expert, model.num_hidden_layers,
                              model.moe ? model.num_experts : 0));
  }
  for (const auto& [name, cls] : kClasses) {
    const bool of_dense = cls == ModuleClass::dense_mlp;
    const bool of_moe = cls == ModuleClass::routed_expert || cls == ModuleClass::router ||
                        cls == ModuleClass::shared_expert || cls == ModuleClass::shared_expert_gate;
    if (!recipe.classes.contains(cls) || !(model.moe ? of_dense : of_moe)) continue;
    return refuse(
        fmt::format("speaks of {}, and the model {} experts", name, model.moe ? "has" : "has no"));
  }
  return {};
}

}  // namespace ckpt::rules
