// Text from a repo is data: nothing of it reaches the terminal or a report unescaped.

#include <doctest/doctest.h>

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "tests/cli/run.h"
#include "tests/container/crafted.h"

namespace ckpt {
namespace {

using testing::run_program;
using testing::TempDir;

const std::string kNasty =
    R"(\u001b[2J\u001b]8;;http://x\u0007\r\n::error::x\u202e\u0000%s|<script>)";

bool clean_text(const std::string& text) {
  return std::ranges::none_of(text,
                              [](char c) {
                                const auto u = static_cast<unsigned char>(c);
                                return (u < 0x20 && c != '\n') || u == 0x7F;
                              }) &&
         text.find("\xE2\x80\xAE") == std::string::npos;
}

void write_nasty_repo(const TempDir& dir) {
  dir.write("config.json", R"({"architectures":["Qwen3_5MoeForCausalLM)" + kNasty +
                               R"("],"torch_dtype":"float16)" + kNasty + R"(","num_experts":")" +
                               kNasty + R"(","quantization_config":{"quant_method":")" + kNasty +
                               R"(","extra_config":{"layers.)" + kNasty + R"(":{"bits":16}}}})");
  dir.write(
      "model.safetensors",
      testing::safetensors(testing::one_tensor("model.layers.0." + kNasty), std::string(16, 'x')));
  dir.write("tokenizer_config.json", "{\"tokenizer_class\": \"" + kNasty + "\"}");
  dir.write("model.safetensors.index.json",
            R"({"metadata":{},"weight_map":{")" + kNasty + R"(":")" + kNasty + R"("}})");
}

}  // namespace

TEST_CASE("escape sequences, line breaks and bidirectional controls never reach a sink") {
  const TempDir dir;
  write_nasty_repo(dir);
  std::filesystem::copy_file(dir.path() + "/config.json",
                             dir.path() + "/evil\x1b[2J\n::error::\xE2\x80\xAE.bin");
  for (const char* format : {"text", "concise", "json", "jsonl", "sarif", "junit", "codequality",
                             "github", "markdown", "card", "html", "csv"}) {
    for (const char* show : {"1", "all"}) {
      CAPTURE(format);
      const auto r = run_program("check " + dir.path() + " -f " + format + " --show " + show);
      CHECK(r.code == 1);
      CHECK(clean_text(r.out));
      CHECK(clean_text(r.err));
      CHECK(r.out.find("\n::error::") == std::string::npos);
    }
  }
  const auto j =
      nlohmann::json::parse(run_program("check " + dir.path() + " --json").out, nullptr, false);
  CHECK_FALSE(j.is_discarded());
}

TEST_CASE("hostile configs end by themselves, in time, with a verdict") {
  struct Row {
    const char* what;
    std::string config;
  };

  const std::string deep(100'000, '[');
  const Row rows[] = {
      {"nesting bomb", deep},
      {"closed nesting bomb", deep + std::string(100'000, ']')},
      {"thousand million experts",
       R"({"architectures":["Qwen3_5MoeForCausalLM"],"num_experts":1000000000})"},
      {"most layers and experts allowed",
       R"({"architectures":["Qwen3_5MoeForCausalLM"],"num_experts":1048576,"num_hidden_layers":4096})"},
      {"zero everywhere",
       R"({"architectures":["Qwen3_5MoeForCausalLM"],"num_experts":0,"num_hidden_layers":0,"num_key_value_heads":0,"linear_num_key_heads":0,"head_dim":0})"},
      {"negative",
       R"({"architectures":["Qwen3_5MoeForCausalLM"],"num_hidden_layers":-1,"hidden_size":-5})"},
      {"low 32 bits look right",
       R"({"architectures":["Qwen3_5MoeForCausalLM"],"num_experts":4294967552})"},
      {"catastrophic pattern",
       R"j({"architectures":["Qwen3_5MoeForCausalLM"],"num_hidden_layers":4,"num_experts":8,)j"
       R"j("quantization_config":{"quant_method":"auto-round","bits":4,"group_size":128,)j"
       R"j("sym":true,"extra_config":{"(a+)+(.*)*(.*)*(.*)*b":{"bits":16},)j"
       R"j("((((a{1,100}){1,100}){1,100}){1,100})":{"bits":16}}}})j"},
      {"wrong types",
       R"({"architectures":"x","text_config":[],"vision_config":7,"quantization_config":{"quant_method":[],"bits":"4","extra_config":[1],"block_name_to_quantize":{"a":1},"config_groups":[[]],"ignore":"x"}})"},
      {"null root", "null"},
      {"NaN", R"({"rms_norm_eps": NaN})"},
      {"duplicate keys",
       R"({"num_experts":4,"num_experts":8,"architectures":["Qwen3_5MoeForCausalLM"]})"},
  };

  for (const Row& row : rows) {
    CAPTURE(row.what);
    const TempDir dir;
    dir.write("config.json", row.config);
    dir.write("model.safetensors",
              testing::safetensors(testing::one_tensor(), std::string(16, 'x')));
    const auto r = run_program("check " + dir.path(), "timeout 20");
    CHECK(r.code == 1);
    CHECK(r.out.size() < (1U << 20));
  }
}

TEST_CASE("links and special files are named, not followed") {
  const TempDir dir;
  std::filesystem::create_symlink("/etc/passwd", dir.path() + "/config.json");
  std::filesystem::create_symlink("/dev/zero", dir.path() + "/model.safetensors");
  std::filesystem::create_symlink(".", dir.path() + "/loop");
  std::filesystem::create_symlink("nowhere", dir.path() + "/tokenizer.json");
  const auto r = run_program("check " + dir.path(), "timeout 20");
  CHECK(r.code == 1);
  CHECK(r.out.find("root:") == std::string::npos);
  CHECK(r.out.find("REP002") != std::string::npos);
}

}  // namespace ckpt
