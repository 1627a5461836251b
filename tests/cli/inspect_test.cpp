// `inspect`: what is in a checkpoint, and what each loader would build from it.

#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "tests/cli/run.h"
#include "tests/pipeline/lint_repos.h"

namespace ckpt {
namespace {

using testing::run_program;
using testing::TempDir;
using Json = nlohmann::json;

constexpr const char* kConfig =
    R"({"architectures":["Qwen3_5MoeForCausalLM"],"model_type":"qwen3_5_moe_text","hidden_size":256,
        "num_hidden_layers":4,"num_experts":4,"num_experts_per_tok":2,"vocab_size":512)";

Json plan_of(const std::string& quant, const std::string& loader) {
  const TempDir dir;
  dir.write("config.json", std::string(kConfig) + ",\"quantization_config\":" + quant + "}");
  const auto ran = run_program("inspect " + dir.path() + " --plan " + loader + " --format json");
  CHECK(ran.code == 0);
  return Json::parse(ran.out);
}

Json module_with(const Json& plan, const std::string& member) {
  for (const Json& m : plan["modules"]) {
    for (const Json& name : m["members"]) {
      if (name == member) return m;
    }
  }
  return nullptr;
}

}  // namespace

TEST_CASE("inspect shows architecture, scheme, and tensors per class") {
  const TempDir dir;
  testing::lay_out_lint_repo("clean-autoround-causal", dir);
  const auto text = run_program("inspect " + dir.path());
  CHECK(text.code == 0);
  CHECK(text.out.find("Qwen3_5MoeForCausalLM") != std::string::npos);
  CHECK(text.out.find("routed_expert") != std::string::npos);
  const auto ran = run_program("inspect " + dir.path() + " --json");
  const Json json = Json::parse(ran.out);
  std::uint64_t tensors = 0;
  for (const Json& row : json["classes"]) tensors += row["tensors"].get<std::uint64_t>();
  CHECK(tensors == json["tensors"]);
}

TEST_CASE("inspect --plan needs a config only, and names what decided") {
  const Json plan = plan_of(
      R"({"quant_method":"auto-round","bits":4,"group_size":32,"sym":true,
          "packing_format":"auto_round:auto_gptq","block_name_to_quantize":"model.layers",
          "extra_config":{"model.layers.3.self_attn.o_proj":{"bits":8}}})",
      "vllm");
  CHECK(plan["loader"] == "vllm");
  CHECK(plan["version"] == "0.33");
  const Json o_proj = module_with(plan, "model.layers.3.self_attn.o_proj");
  CHECK(o_proj["quantized"] == true);
  CHECK(o_proj["bits"] == 8);
  CHECK(o_proj["group_size"] == 32);
  CHECK(o_proj["source"] == "extra_config \"model.layers.3.self_attn.o_proj\"");
  CHECK(o_proj["expected"] == Json({"qweight", "qzeros", "scales"}));
  const Json qkv = module_with(plan, "model.layers.3.self_attn.q_proj");
  CHECK(qkv["name"] == "model.layers.3.self_attn.qkv_proj");
  CHECK(qkv["members"].size() == 3);
}

TEST_CASE("inspect --plan shows the exception where a loader raises, and a config refused whole") {
  const Json raising = plan_of(
      R"({"quant_method":"auto-round","bits":4,"group_size":32,"sym":true,
          "block_name_to_quantize":"model.layers",
          "extra_config":{"model.layers.3.self_attn.q_proj":{"bits":8}}})",
      "sglang");
  CHECK(module_with(raising, "model.layers.3.self_attn.k_proj")["error"] == "ValueError");
  const Json refused =
      plan_of(R"({"quant_method":"auto-round","bits":9,"group_size":32,"sym":true})", "all");
  REQUIRE(refused.size() == 3);
  for (const Json& plan : refused) {
    CHECK(plan["refused"]["error"] == "ValueError");
    CHECK(plan["modules"].empty());
  }
}

TEST_CASE("inspect --plan compares with what is stored") {
  const TempDir dir;
  testing::lay_out_lint_repo("router-quantized", dir);
  const auto ran = run_program("inspect " + dir.path() + " --plan transformers");
  CHECK(ran.code == 0);
  CHECK(ran.out.find("asks for .weight, stored are packed tensors") != std::string::npos);
}

TEST_CASE("inspect --plan transformers adds the keys that a load would report") {
  const TempDir dir;
  testing::lay_out_lint_repo("expert-missing", dir);
  const auto ran = run_program("inspect " + dir.path() + " --plan transformers --json");
  const Json load = Json::parse(ran.out)["load"];
  CHECK(load["verdict"] == "random_nonfinite");
  CHECK(load["missing"].size() == 9);
  CHECK(load["unexpected"].empty());
}

TEST_CASE("inspect: exit codes") {
  const TempDir empty;
  const TempDir other;
  other.write("config.json", R"({"architectures":["LlamaForCausalLM"],"model_type":"llama"})");
  CHECK(run_program("inspect").code == 2);
  CHECK(run_program("inspect --help").code == 0);
  CHECK(run_program("inspect " + empty.path()).code == 2);
  CHECK(run_program("inspect " + empty.path() + " --plan vllm").code == 2);
  CHECK(run_program("inspect " + other.path() + " --plan vllm").code == 2);
  CHECK(run_program("inspect " + other.path() + " --plan nonsense").code == 2);
  CHECK(run_program("inspect /does/not/exist").code == 2);
}

}  // namespace ckpt
