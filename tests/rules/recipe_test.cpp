#include "validator/rules/recipe.h"

#include <doctest/doctest.h>

namespace ckpt::rules {

namespace {

arch::Module module(arch::ModuleClass cls, int layer = -1, int expert = -1) {
  arch::Module m;
  m.cls = cls;
  m.layer = layer;
  m.expert = expert;
  return m;
}

}  // namespace

TEST_CASE("a recipe says what a module should have: boundary, then super-expert, then class") {
  const auto recipe = read_recipe({{"preset", "mixed-w4a16-w8a16"},
                                   {"super_experts", "5:7, 0:1"},
                                   {"full_attention", "6 g-1"}});
  REQUIRE(recipe);
  using arch::ModuleClass;
  const auto bits = [&](const arch::Module& m) {
    const Precision* p = recipe->of(m, 40);
    return p == nullptr ? 0 : p->bits;
  };
  CHECK(bits(module(ModuleClass::routed_expert, 5, 6)) == 4);
  CHECK(recipe->of(module(ModuleClass::routed_expert, 5, 6), 40)->group_size == 32);
  CHECK(bits(module(ModuleClass::routed_expert, 5, 7)) == 8);
  CHECK(bits(module(ModuleClass::routed_expert, 0, 1)) == 16);   // a boundary layer
  CHECK(bits(module(ModuleClass::routed_expert, 39, 6)) == 16);  // the last one
  CHECK(bits(module(ModuleClass::routed_expert, 39, 6)) == 16);
  CHECK(recipe->of(module(ModuleClass::full_attention, 7), 40)->group_size == -1);
  CHECK(bits(module(ModuleClass::full_attention, 7)) == 6);
  CHECK(bits(module(ModuleClass::router, 0)) == 16);
  CHECK(bits(module(ModuleClass::vision, 0)) == 0);  // nothing is said of it
  CHECK(bits(module(ModuleClass::head)) == 16);
}

TEST_CASE("every preset can be read, and what cannot is named") {
  for (const std::string& name : recipe_presets()) CHECK(read_recipe({{"preset", name}}));
  for (const auto& [key, value] : std::map<std::string, std::string>{{"preset", "nothing"},
                                                                     {"full_attention", "eight"},
                                                                     {"routed_experts", "4 32"},
                                                                     {"head", "17"},
                                                                     {"boundary_layers", "first"},
                                                                     {"super_experts", "12"},
                                                                     {"attention", "8"}}) {
    CAPTURE(key);
    const auto read = read_recipe({{key, value}});
    REQUIRE_FALSE(read);
    CHECK(read.error().message.find(key) != std::string::npos);
  }
  CHECK(read_recipe({{"preset", "mixed-w4a16-w8a16"}, {"head", "any"}})
            ->classes.count(arch::ModuleClass::head) == 0);
}

TEST_CASE("a key replaces what the preset says of it") {
  const auto fewer =
      read_recipe({{"preset", "mixed-w4a16-w8a16"}, {"boundary_layers", "0"}, {"head", "8"}});
  REQUIRE(fewer);
  CHECK(fewer->boundary_layers == std::set<int>{0});
  CHECK(fewer->of(module(arch::ModuleClass::routed_expert, 1, 0), 40)->bits == 4);
  CHECK(fewer->of(module(arch::ModuleClass::routed_expert, 39, 0), 40)->bits == 4);
  CHECK(fewer->of(module(arch::ModuleClass::routed_expert, 0, 0), 40)->bits == 16);
  CHECK(fewer->of(module(arch::ModuleClass::head), 40)->bits == 8);
  const auto none = read_recipe({{"preset", "mixed-w4a16-w8a16"}, {"boundary_layers", "none"}});
  REQUIRE(none);
  CHECK(none->boundary_layers.empty());
}

TEST_CASE("layers and experts without a precision, and a precision without them, are refused") {
  using Table = std::map<std::string, std::string>;
  for (const auto& [table, missing] : std::vector<std::pair<Table, std::string>>{
           {{{"boundary_layers", "0 last"}}, "without boundary_precision"},
           {{{"boundary_precision", "16"}}, "without boundary_layers"},
           {{{"super_experts", "1:2"}}, "without super_expert_precision"},
           {{{"super_expert_precision", "8"}}, "without super_experts"}}) {
    CAPTURE(missing);
    const auto read = read_recipe(table);
    REQUIRE_FALSE(read);
    CHECK(read.error().message.find(missing) != std::string::npos);
  }
}

TEST_CASE("a recipe that speaks of what the model does not have is an error that names it") {
  config::TextConfig moe;
  moe.moe = true;
  moe.num_hidden_layers = 40;
  moe.num_experts = 256;
  config::TextConfig dense = moe;
  dense.moe = false;

  struct Row {
    std::map<std::string, std::string> table;
    std::string on_moe;  // part of the message, empty: fits
    std::string on_dense;
  };

  const Row rows[] = {
      {{{"head", "16"}}, "", ""},
      {{{"boundary_layers", "0 39 last"}, {"boundary_precision", "16"}}, "", ""},
      {{{"boundary_layers", "0 40"}, {"boundary_precision", "16"}}, "layer 40", "layer 40"},
      {{{"super_experts", "39:255"}, {"super_expert_precision", "8"}}, "", "39:255"},
      {{{"super_experts", "39:256"}, {"super_expert_precision", "8"}}, "39:256", "39:256"},
      {{{"super_experts", "40:1"}, {"super_expert_precision", "8"}}, "40:1", "40:1"},
      {{{"dense_mlp", "4"}}, "dense_mlp", ""},
      {{{"routed_experts", "4"}}, "", "routed_experts"},
      {{{"routers", "16"}}, "", "routers"},
  };
  for (const Row& row : rows) {
    const auto recipe = read_recipe(row.table);
    REQUIRE(recipe);
    for (const auto& [model, want] : {std::pair{moe, row.on_moe}, {dense, row.on_dense}}) {
      const Result<void> fits = check_recipe(*recipe, model);
      CAPTURE(want);
      CHECK(fits.has_value() == want.empty());
      if (!fits) CHECK(fits.error().message.find(want) != std::string::npos);
    }
  }
}

}  // namespace ckpt::rules
