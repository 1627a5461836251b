#include "validator/pipeline/estimate.h"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <algorithm>

#include "tests/support.h"

namespace ckpt::pipeline {
namespace {

/// A release's geometry with two experts and no weights: caches do not depend on them.
std::string config(int hidden, int layers, int heads, int value_heads) {
  return fmt::format(R"({{"architectures": ["Qwen3_5MoeForCausalLM"],
    "model_type": "qwen3_5_moe_text", "hidden_size": {}, "num_hidden_layers": {},
    "num_attention_heads": {}, "num_key_value_heads": 2, "head_dim": 256,
    "linear_num_key_heads": 16, "linear_num_value_heads": {}, "linear_key_head_dim": 128,
    "linear_value_head_dim": 128, "linear_conv_kernel_dim": 4, "full_attention_interval": 4,
    "num_experts": 2, "num_experts_per_tok": 2, "moe_intermediate_size": 512,
    "shared_expert_intermediate_size": 512, "vocab_size": 248320,
    "max_position_embeddings": 262144}})",
                     hidden, layers, heads, value_heads);
}

Estimate of(const std::string& target, EstimateArgs args) {
  const auto opened = open_target(target);
  REQUIRE(opened.has_value());
  const auto e = estimate(**opened, args);
  REQUIRE(e.has_value());
  return *e;
}

}  // namespace

TEST_CASE("caches of the three releases are those computed by hand") {
  struct Row {
    int hidden, layers, heads, value_heads;
    std::uint64_t kv_per_token;
    double kv_gib_at_1m_fp8;
    std::uint64_t delta_mib;
  };

  for (const Row& row :
       {Row{2048, 40, 16, 32, 20'480, 10, 60}, Row{3072, 48, 32, 64, 24'576, 12, 144},
        Row{4096, 60, 32, 64, 30'720, 15, 180}}) {
    CAPTURE(row.hidden);
    const testing::TempDir dir;
    dir.write("config.json", config(row.hidden, row.layers, row.heads, row.value_heads));
    const Estimate plain = of(dir.path(), {.contexts = {262'144}, .sequences = {1}});
    CHECK(plain.kv_per_token == row.kv_per_token);
    CHECK(plain.delta_per_sequence == row.delta_mib << 20);
    CHECK(plain.rows[0].kv_cache == 262'144 * row.kv_per_token);
    const Estimate fp8 = of(dir.path(), {.contexts = {1'048'576}, .sequences = {2}, .kv_bits = 8});
    CHECK(static_cast<double>(fp8.rows[0].kv_cache) / (1ULL << 30) == 2 * row.kv_gib_at_1m_fp8);
    // Two key-value heads: two GPUs hold one each, four hold copies.
    for (const std::uint64_t gpus : {2U, 4U}) {
      const Estimate cut =
          of(dir.path(), {.contexts = {1024}, .sequences = {1}, .tensor_parallel = gpus});
      CHECK(cut.kv_per_token == row.kv_per_token / 2);
      CHECK(cut.delta_per_sequence == (row.delta_mib << 20) / gpus);
    }
  }
}

TEST_CASE("weights are the stored tensors, each counted once, and shared out among GPUs") {
  const std::string a = std::string(CKPT_FIXTURES) + "/golden/models/A-causallm-w4a16-autoround";
  const Estimate one = of(a, {.contexts = {1000}, .sequences = {3}});
  CHECK(one.weights_per_gpu == one.tensor_bytes);
  CHECK(one.kv_per_token == 512);        // 2 x 2 layers x 2 heads x 32 x 2 bytes
  CHECK(one.conv_per_sequence == 9216);  // 6 layers x 256 channels x 3 x 2 bytes
  CHECK(one.delta_per_sequence == 98'304);
  CHECK(one.rows[0].kv_cache == 1'536'000);
  CHECK(one.rows[0].total > one.rows[0].kv_cache + one.weights_per_gpu);
  const Estimate two = of(a, {.contexts = {1000}, .sequences = {3}, .tensor_parallel = 2});
  CHECK(two.weights_per_gpu > one.weights_per_gpu / 2);  // norms and routers are on both
  CHECK(two.weights_per_gpu < one.weights_per_gpu);
  const auto m = of(std::string(CKPT_FIXTURES) + "/golden/models/M-vl-mtp-bf16",
                    {.contexts = {16}, .sequences = {1}});
  CHECK(m.vision > 0);
  CHECK(m.draft_head > 0);
  CHECK(m.weights_per_gpu + m.draft_head == m.tensor_bytes);
}

TEST_CASE("GPUs that cannot share the heads evenly are refused") {
  const testing::TempDir dir;
  dir.write("config.json", config(2048, 40, 16, 32));
  const auto opened = open_target(dir.path());
  CHECK_FALSE(estimate(**opened, {.contexts = {1}, .sequences = {1}, .tensor_parallel = 3}));
  CHECK_FALSE(estimate(**opened, {.contexts = {1}, .sequences = {1}, .tensor_parallel = 32}));
}

}  // namespace ckpt::pipeline
