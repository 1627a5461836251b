#include "validator/loaders/expected.h"

#include <doctest/doctest.h>

#include "tests/support.h"

namespace ckpt {
namespace {

/// Card 002's configuration after its errata; `experts` and the text class make card 003's.
std::string card_config(int experts, bool vision) {
  const std::string prefix = vision ? "model.language_model.layers" : "model.layers";
  const std::string text =
      R"("hidden_size":4096,"num_hidden_layers":60,"num_attention_heads":32,"num_key_value_heads":2,)"
      R"("head_dim":256,"linear_num_value_heads":64,"num_experts_per_tok":10,)"
      R"("moe_intermediate_size":1024,"shared_expert_intermediate_size":1024,"vocab_size":248320,)"
      R"("num_experts":)" +
      std::to_string(experts);
  const std::string quant =
      R"("quantization_config":{"quant_method":"auto-round","bits":4,"group_size":128,"sym":true,)"
      R"("packing_format":"auto_round:auto_gptq","block_name_to_quantize":")" +
      prefix + R"(","extra_config":{")" + prefix + R"(.*.mlp.gate":{"bits":16},")" + prefix +
      R"(.*.mlp.shared_expert_gate":{"bits":16}}})";
  if (!vision) return R"({"architectures":["Qwen3_5MoeForCausalLM"],)" + text + "," + quant + "}";
  return R"({"architectures":["Qwen3_5MoeForConditionalGeneration"],"text_config":{)" + text +
         R"(},"vision_config":{"out_hidden_size":4096},)" + quant + "}";
}

loaders::ExpectedSize expected(const std::string& json) {
  const testing::TempDir dir;
  dir.write("config.json", json);
  const auto repo = repo::Repo::open(dir.path());
  REQUIRE(repo.has_value());
  const config::ModelConfig config = config::read_model_config(*repo);
  REQUIRE(config.defects.empty());
  const auto blueprint = arch::build_blueprint(config, 1'000'000);
  REQUIRE(blueprint.has_value());
  const loaders::LoadPlan plan = loaders::read_intent(config, *blueprint);
  return loaders::expected_size(*blueprint, plan, {arch::Spelling::gate_up_suffixed, std::nullopt});
}

}  // namespace

TEST_CASE("card 002: blueprint times scheme gives its 121,728 + 333 tensors and 138.8 GB") {
  const auto text = expected(card_config(333, false));
  CHECK(text.tensors == 121'728);
  CHECK(static_cast<double>(text.bytes) / 1e9 == doctest::Approx(138.82).epsilon(1e-4));
  const auto all = expected(card_config(333, true));
  CHECK(all.tensors == 122'061);
  CHECK(all.bytes - text.bytes == 2 * 456'010'480ULL);
}

TEST_CASE("card 003: the 212B prune has 97,968 tensors in 112.9 GB") {
  const auto text = expected(card_config(267, false));
  CHECK(text.tensors == 97'968);
  CHECK(static_cast<double>(text.bytes) / 1e9 == doctest::Approx(112.90).epsilon(1e-4));
}

}  // namespace ckpt
