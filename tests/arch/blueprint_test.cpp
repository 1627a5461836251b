#include "validator/arch/blueprint.h"

#include <doctest/doctest.h>

#include <memory>

#include "tests/support.h"

namespace ckpt::arch {
namespace {

struct Model {
  config::ModelConfig config;
  Blueprint blueprint;
};

std::unique_ptr<Model> model_of(const std::string& json) {
  const testing::TempDir dir;
  dir.write("config.json", json);
  const auto repo = repo::Repo::open(dir.path());
  REQUIRE(repo.has_value());
  auto m = std::make_unique<Model>();
  m->config = config::read_model_config(*repo);
  REQUIRE(m->config.defects.empty());
  auto b = build_blueprint(m->config, 1'000'000);
  REQUIRE(b.has_value());
  m->blueprint = *std::move(b);
  return m;
}

/// Release dims of the 35B, 122B and 397B models (architecture, section 6).
std::string release(int hidden, int layers, int heads, int value_heads, int experts, int top_k,
                    int inner, bool vision, int mtp = 0) {
  const auto n = [](int v) { return std::to_string(v); };
  const std::string text =
      R"("hidden_size":)" + n(hidden) + R"(,"num_hidden_layers":)" + n(layers) +
      R"(,"num_attention_heads":)" + n(heads) + R"(,"num_key_value_heads":2,"head_dim":256)" +
      R"(,"linear_num_value_heads":)" + n(value_heads) + R"(,"num_experts":)" + n(experts) +
      R"(,"num_experts_per_tok":)" + n(top_k) + R"(,"moe_intermediate_size":)" + n(inner) +
      R"(,"shared_expert_intermediate_size":)" + n(inner) + R"(,"vocab_size":248320)" +
      R"(,"mtp_num_hidden_layers":)" + n(mtp);
  if (!vision) return R"({"architectures":["Qwen3_5MoeForCausalLM"],)" + text + "}";
  return R"({"architectures":["Qwen3_5MoeForConditionalGeneration"],"text_config":{)" + text +
         R"(},"vision_config":{"out_hidden_size":)" + n(hidden) + "}}";
}

struct Count {
  std::uint64_t text_parameters = 0;
  std::uint64_t vision_parameters = 0;
  std::uint64_t mtp_parameters = 0;
  std::uint64_t vision_tensors = 0;
};

Count count(const Blueprint& b) {
  Count c;
  for (const Module& m : b.modules()) {
    const std::uint64_t n = *element_count(m.shape) + (m.bias ? m.shape[0] : 0);
    if (m.cls == ModuleClass::vision) {
      c.vision_parameters += n;
      c.vision_tensors += m.bias ? 2 : 1;
    } else if (m.cls == ModuleClass::mtp) {
      c.mtp_parameters += n;
    } else {
      c.text_parameters += n;
    }
  }
  return c;
}

}  // namespace

TEST_CASE("parameters of the releases are those of the transformers classes") {
  struct Row {
    std::string json;
    std::uint64_t text;
    std::uint64_t vision;
    std::uint64_t mtp;
  };

  const Row rows[] = {
      {release(2048, 40, 16, 32, 256, 8, 512, true, 1), 34'660'610'688, 446'571'248, 844'640'768},
      {release(3072, 48, 32, 64, 256, 8, 1024, true, 1), 122'111'526'912, 451'290'864,
       2'523'679'232},
      {release(4096, 60, 32, 64, 512, 10, 1024, true, 1), 396'346'350'336, 456'010'480,
       6'595'568'128},
      {release(4096, 60, 32, 64, 333, 10, 1024, false), 261'161'884'416, 0, 0},
      {release(2048, 40, 16, 32, 192, 8, 512, false), 26'602'304'128, 0, 0},
  };
  for (const Row& row : rows) {
    const auto m = model_of(row.json);
    const Count c = count(m->blueprint);
    CHECK(c.text_parameters == row.text);
    CHECK(c.vision_parameters == row.vision);
    CHECK(c.mtp_parameters == row.mtp);
    CHECK(c.vision_tensors == (row.vision == 0 ? 0 : 333));
  }
}

TEST_CASE("every expert spelling finds its place, under every prefix") {
  const auto m = model_of(release(2048, 4, 16, 32, 8, 2, 512, true));
  const Blueprint& b = m->blueprint;

  struct Row {
    const char* name;
    Spelling spelling;
    int expert;
    ExpertPart part;
  };

  const Row rows[] = {
      {"mlp.experts.3.up_proj.qweight", Spelling::per_expert, 3, ExpertPart::up},
      {"mlp.experts.gate_up_proj", Spelling::stacked, -1, ExpertPart::gate},
      {"mlp.experts.down_proj.scales", Spelling::stacked, -1, ExpertPart::down},
      {"mlp.experts.gate_up_proj_scale_inv", Spelling::stacked, -1, ExpertPart::gate},
      {"mlp.experts.down_proj_scale_inv", Spelling::stacked, -1, ExpertPart::down},
      {"mlp.experts.gate_up_proj.7.qzeros", Spelling::gate_up_suffixed, 7, ExpertPart::gate},
      {"mlp.experts.down_proj.7.weight", Spelling::gate_up_suffixed, 7, ExpertPart::down},
      {"mlp.experts.7.gate_up_proj.weight", Spelling::gate_up_prefixed, 7, ExpertPart::gate},
  };
  for (const Prefix prefix : {Prefix::language_model, Prefix::model, Prefix::bare_language_model,
                              Prefix::none, Prefix::engine, Prefix::doubled}) {
    for (const Row& row : rows) {
      const std::string name = std::string(prefix_text(prefix)) + "layers.2." + row.name;
      CAPTURE(name);
      const Placement p = b.locate(name);
      REQUIRE(p.module >= 0);
      CHECK(p.prefix == prefix);
      CHECK(p.spelling == row.spelling);
      CHECK(p.expert == row.expert);
      CHECK(b.modules()[static_cast<std::size_t>(p.module)].part == row.part);
      CHECK(b.modules()[static_cast<std::size_t>(p.module)].layer == 2);
    }
  }
}

TEST_CASE("numbers that a loose parser folds onto a real expert or layer have no place") {
  const auto m = model_of(release(2048, 4, 16, 32, 8, 2, 512, false));
  for (const char* name :
       {"model.layers.0.mlp.experts.03.up_proj.weight",
        "model.layers.0.mlp.experts.+3.up_proj.weight",
        "model.layers.0.mlp.experts.8.up_proj.weight",
        "model.layers.0.mlp.experts.4294967299.up_proj.weight",
        "model.layers.00.input_layernorm.weight", "model.layers.4.input_layernorm.weight",
        "model.layers.0.mlp.experts.-1.up_proj.weight",
        "model.layers.0.mlp.experts..up_proj.weight",
        "model.layers.0.mlp.experts.gate_up_proj.8.weight",
        "model.layers.0.mlp.experts.gate_up_proj_scale_inv.weight",
        "model.layers.0.mlp.experts.other_scale_inv",
        "model.layers.0.mlp.exp\xD0\xB5rts.3.up_proj.weight", "", ".", "weight"}) {
    CAPTURE(name);
    CHECK(m->blueprint.locate(name).module == -1);
  }
}

TEST_CASE("dense models have an MLP and no experts; a tied head is not asked for") {
  const auto m =
      model_of(R"({"architectures":["Qwen3_5ForCausalLM"],"hidden_size":64,"num_hidden_layers":4,)"
               R"("intermediate_size":128,"tie_word_embeddings":true,"num_key_value_heads":2})");
  CHECK(m->blueprint.expert_blocks().empty());
  CHECK(m->blueprint.find("model.layers.0.mlp.gate_proj") >= 0);
  CHECK(m->blueprint.find("lm_head") == -1);
}

TEST_CASE("a config that claims a thousand million experts builds nothing") {
  const testing::TempDir dir;
  dir.write("config.json", release(2048, 40, 16, 32, 1'000'000, 8, 512, false));
  const auto repo = repo::Repo::open(dir.path());
  const config::ModelConfig config = config::read_model_config(*repo);
  const auto b = build_blueprint(config, 100'000);
  REQUIRE_FALSE(b.has_value());
  CHECK(b.error().kind == ErrorKind::limit);
}

}  // namespace ckpt::arch
