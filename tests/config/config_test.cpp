#include <doctest/doctest.h>

#include <algorithm>

#include "tests/support.h"
#include "validator/config/model_config.h"

namespace ckpt::config {
namespace {

ModelConfig read(const std::string& json, const std::string& side = "") {
  const testing::TempDir dir;
  dir.write("config.json", json);
  if (!side.empty()) dir.write("quantization_config.json", side);
  const auto repo = repo::Repo::open(dir.path());
  REQUIRE(repo.has_value());
  return read_model_config(*repo);
}

bool has(const ModelConfig& c, DefectKind kind, const std::string& pointer) {
  return std::ranges::any_of(
      c.defects, [&](const Defect& d) { return d.kind == kind && d.pointer == pointer; });
}

constexpr const char* kText = R"({"architectures":["Qwen3_5MoeForCausalLM"])";

}  // namespace

TEST_CASE("an absent field means its default, MoE and dense") {
  const ModelConfig moe = read(std::string(kText) + "}");
  CHECK(moe.defects.empty());
  CHECK(moe.text.hidden_size == 2048);
  CHECK(moe.text.layer_types.size() == 40);
  CHECK(moe.text.layer_types[3] == LayerType::full_attention);
  CHECK(moe.text.layer_types[4] == LayerType::linear_attention);
  const ModelConfig dense = read(R"({"architectures":["Qwen3_5ForCausalLM"]})");
  CHECK_FALSE(dense.text.moe);
  CHECK(dense.text.hidden_size == 4096);
  CHECK(dense.text.intermediate_size == 12288);
}

TEST_CASE("a defect is named with its pointer, and reading goes on") {
  struct Row {
    const char* fields;
    DefectKind kind;
    const char* pointer;
  };

  const Row rows[] = {
      {R"("num_experts":"12")", DefectKind::wrong_type, "/num_experts"},
      {R"("num_experts":12.0)", DefectKind::wrong_type, "/num_experts"},
      {R"("num_experts":-0)", DefectKind::wrong_type, "/num_experts"},
      {R"("num_experts":0)", DefectKind::out_of_range, "/num_experts"},
      {R"("num_experts":4294967552)", DefectKind::out_of_range, "/num_experts"},
      {R"("num_experts":18446744073709551628)", DefectKind::wrong_type, "/num_experts"},
      {R"("num_hidden_layers":0)", DefectKind::out_of_range, "/num_hidden_layers"},
      {R"("num_key_value_heads":3)", DefectKind::inconsistent, "/num_attention_heads"},
      {R"("num_experts":4,"num_experts_per_tok":5)", DefectKind::inconsistent,
       "/num_experts_per_tok"},
      {R"("layer_types":["linear_attention"])", DefectKind::inconsistent, "/layer_types"},
      {R"("layer_types":["x"])", DefectKind::unknown_value, "/layer_types"},
      {R"("num_hidden_layers":2,"full_attention_interval":1,"layer_types":["linear_attention","full_attention"])",
       DefectKind::inconsistent, "/full_attention_interval"},
      {R"("rope_parameters":{"rope_type":"x"})", DefectKind::unknown_value,
       "/rope_parameters/rope_type"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.fields);
    const ModelConfig c = read(std::string(kText) + "," + row.fields + R"(,"vocab_size":77})");
    CHECK(has(c, row.kind, row.pointer));
    CHECK(c.text.vocab_size == 77);
    CHECK(c.text.layer_types.size() == static_cast<std::size_t>(c.text.num_hidden_layers));
  }
}

TEST_CASE("nested config: text and vision parts, dtypes of all three places") {
  const ModelConfig c =
      read(R"({"architectures":["Qwen3_5MoeForConditionalGeneration"],"dtype":"bfloat16",)"
           R"("text_config":{"hidden_size":64,"torch_dtype":"float16"},)"
           R"("vision_config":{"depth":2,"out_hidden_size":64,"dtype":"float32"}})");
  CHECK(c.nested);
  CHECK(c.text.hidden_size == 64);
  REQUIRE(c.vision.has_value());
  CHECK(c.vision->depth == 2);
  REQUIRE(c.dtypes.size() == 3);
  CHECK(c.dtypes[1].pointer == "/text_config/torch_dtype");
}

TEST_CASE("a nested class with a flat config, and a vision width that fits nothing, are defects") {
  CHECK(has(read(R"({"architectures":["Qwen3_5MoeForConditionalGeneration"],"hidden_size":64})"),
            DefectKind::class_shape, "/architectures"));
  CHECK(has(read(R"({"architectures":["Qwen3_5MoeForConditionalGeneration"],"text_config":{},)"
                 R"("vision_config":{"out_hidden_size":7}})"),
            DefectKind::inconsistent, "/vision_config/out_hidden_size"));
}

TEST_CASE("rope_scaling replaces rope_parameters: theta falls back to 10000") {
  const ModelConfig c = read(
      std::string(kText) +
      R"(,"rope_parameters":{"rope_theta":10000000},"rope_scaling":{"rope_type":"yarn","factor":4}})");
  CHECK(c.text.rope.theta == 10000);
  CHECK(c.text.rope.type == "yarn");
  CHECK(c.text.rope.factor == 4);
}

TEST_CASE("AutoRound block: string, list and nested list of blocks, overrides in file order") {
  const auto with = [](const std::string& blocks) {
    return read(
        std::string(kText) +
        R"(,"quantization_config":{"quant_method":"auto-round","bits":4,"group_size":128,"sym":true,)" +
        blocks + R"("extra_config":{"b":{"bits":8},"a":{"group_size":32,"sym":false}}}})");
  };
  const ModelConfig s = with(R"("block_name_to_quantize":"x.layers, y",)");
  REQUIRE(s.quant.has_value());
  REQUIRE(s.quant->blocks.size() == 2);
  CHECK(s.quant->blocks[1].text == " y");  // vLLM does not trim, so neither do we
  REQUIRE(s.quant->overrides.size() == 2);
  CHECK(s.quant->overrides[0].key == "b");
  CHECK_FALSE(s.quant->overrides[1].bits.has_value());
  CHECK(s.quant->overrides[1].sym == false);
  CHECK(with(R"("to_quant_block_names":["x"],)").quant->blocks_is_list);
  CHECK(with(R"("block_name_to_quantize":[["x","y"]],)").quant->blocks_nested);
  CHECK_FALSE(with("").quant->blocks_given);
}

TEST_CASE("compressed-tensors groups: strategy follows group_size when absent") {
  const ModelConfig c = read(
      std::string(kText) +
      R"(,"quantization_config":{"quant_method":"compressed-tensors","format":"pack-quantized",)"
      R"("ignore":["lm_head"],"config_groups":{"g0":{"targets":["Linear"],"weights":{"num_bits":4,"group_size":32}},)"
      R"("g1":{"targets":["re:x"],"weights":{"num_bits":8,"group_size":-1}},"g2":{"targets":[],"weights":null}}}})");
  REQUIRE(c.quant->groups.size() == 3);
  CHECK(c.quant->groups[0].weights->strategy == "group");
  CHECK(c.quant->groups[1].weights->strategy == "channel");
  CHECK_FALSE(c.quant->groups[2].weights.has_value());
  CHECK(c.quant->ignore[0].text == "lm_head");
}

TEST_CASE("without a block in config.json the side file counts") {
  const ModelConfig c = read(std::string(kText) + "}", R"({"quant_method":"auto-round","bits":4})");
  REQUIRE(c.quant.has_value());
  CHECK(c.quant->file == "quantization_config.json");
}

}  // namespace ckpt::config
