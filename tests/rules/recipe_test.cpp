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

TEST_CASE("a recipe says what a module should have: super-expert, then boundary, then class") {
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

}  // namespace ckpt::rules
