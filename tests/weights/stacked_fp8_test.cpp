// Stacked experts in FP8 blocks, as transformers writes them: [E, 2I, H] in one tensor, its scales
// beside it as `gate_up_proj_scale_inv`.

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <array>
#include <bit>
#include <cmath>

#include "tests/support.h"
#include "tests/weights/opened.h"

namespace ckpt::weights::test {
namespace {

constexpr std::uint64_t kExperts = 3;
constexpr std::uint64_t kHidden = 192;  // one whole block and a half
constexpr std::uint64_t kInner = 128;
constexpr std::uint64_t kBlock = 128;

/// Bytes that stand for finite numbers of E4M3, and what they stand for, spelt out.
std::uint8_t code_at(std::uint64_t i) {
  const auto code = static_cast<std::uint8_t>((i * 37 + i / 256) & 0xFF);
  return (code & 0x7F) == 0x7F ? 0x38 : code;
}

double e4m3(std::uint8_t code) {
  const int exponent = code >> 3 & 0xF;
  const double mantissa = (code & 7) / 8.0;
  const double size =
      exponent == 0 ? std::ldexp(mantissa, -6) : std::ldexp(1 + mantissa, exponent - 7);
  return (code & 0x80) != 0 ? -size : size;
}

/// A power of two, so that products are exact.
float scale_at(std::uint64_t i) {
  return std::ldexp(1.0F, static_cast<int>(i % 7) - 3);
}

struct File {
  std::string header = "{";
  std::string data;

  void close(const std::string& name, const char* dtype, const std::string& shape,
             std::size_t begin) {
    header += fmt::format("{}\"{}\":{{\"dtype\":\"{}\",\"shape\":[{}],\"data_offsets\":[{},{}]}}",
                          header.size() > 1 ? "," : "", name, dtype, shape, begin, data.size());
  }

  /// A stacked weight of [E, rows, cols] and its grid of scales.
  void add(const std::string& name, std::uint64_t rows, std::uint64_t cols) {
    std::size_t begin = data.size();
    for (std::uint64_t i = 0; i < kExperts * rows * cols; ++i) {
      data.push_back(static_cast<char>(code_at(i)));
    }
    close(name, "F8_E4M3", fmt::format("{},{},{}", kExperts, rows, cols), begin);
    begin = data.size();
    const std::uint64_t grid_rows = (rows + kBlock - 1) / kBlock;
    const std::uint64_t grid_cols = (cols + kBlock - 1) / kBlock;
    for (std::uint64_t i = 0; i < kExperts * grid_rows * grid_cols; ++i) {
      const auto bits = std::bit_cast<std::array<char, 4>>(scale_at(i));
      data.append(bits.data(), bits.size());
    }
    close(name + "_scale_inv", "F32", fmt::format("{},{},{}", kExperts, grid_rows, grid_cols),
          begin);
  }

  [[nodiscard]] std::string bytes() {
    header += "}";
    while (header.size() % 8 != 0) header.push_back(' ');
    const auto size = std::bit_cast<std::array<char, 8>>(std::uint64_t{header.size()});
    return std::string(size.data(), size.size()) + header + data;
  }
};

constexpr const char* kConfig = R"({
  "architectures": ["Qwen3_5MoeForCausalLM"], "model_type": "qwen3_5_moe_text",
  "vocab_size": 64, "hidden_size": 192, "num_hidden_layers": 1, "num_attention_heads": 2,
  "num_key_value_heads": 1, "head_dim": 16, "linear_num_key_heads": 2,
  "linear_num_value_heads": 2, "linear_key_head_dim": 16, "linear_value_head_dim": 16,
  "linear_conv_kernel_dim": 4, "num_experts": 3, "num_experts_per_tok": 2,
  "moe_intermediate_size": 128, "shared_expert_intermediate_size": 128,
  "layer_types": ["full_attention"],
  "quantization_config": {"quant_method": "fp8", "weight_block_size": [128, 128]}})";

}  // namespace

TEST_CASE("stacked FP8 experts decode with the scales of `_scale_inv`, expert by expert") {
  const testing::TempDir dir;
  File file;
  const std::string block = "model.layers.0.mlp.experts.";
  file.add(block + "gate_up_proj", 2 * kInner, kHidden);
  file.add(block + "down_proj", kHidden, kInner);
  dir.write("config.json", kConfig);
  dir.write("model.safetensors", file.bytes());
  config::ModelConfig config;
  const auto opened = open_model(dir.path(), config);
  REQUIRE(opened != nullptr);
  CHECK(opened->stored.strangers.empty());

  struct Part {
    const char* name;
    std::uint64_t rows, cols, stacked_rows, first_row;
  };

  for (const Part& part : {Part{"gate_proj", kInner, kHidden, 2 * kInner, 0},
                           {"up_proj", kInner, kHidden, 2 * kInner, kInner},
                           {"down_proj", kHidden, kInner, kHidden, 0}}) {
    for (std::uint64_t e = 0; e < kExperts; ++e) {
      const std::string name = fmt::format("{}{}.{}", block, e, part.name);
      CAPTURE(name);
      const std::uint32_t module = opened->at(name);
      CHECK(opened->stored.modules[module].format == quant::Format::fp8_block);
      const auto weight = opened->model.load(module);
      REQUIRE_MESSAGE(weight.has_value(), (weight ? "" : weight.error().message));
      CHECK(weight->bytes() == opened->model.bytes(module));
      const auto decoded = weight->decode_all();
      REQUIRE(decoded);
      const std::uint64_t grid_cols = (part.cols + kBlock - 1) / kBlock;
      const std::uint64_t grid_rows = (part.stacked_rows + kBlock - 1) / kBlock;
      std::size_t wrong = 0;
      for (std::uint64_t r = 0; r < part.rows; ++r) {
        for (std::uint64_t c = 0; c < part.cols; ++c) {
          const std::uint64_t row = part.first_row + r;
          const double code = e4m3(code_at((e * part.stacked_rows + row) * part.cols + c));
          const float scale = scale_at((e * grid_rows + row / kBlock) * grid_cols + c / kBlock);
          if (double{(*decoded)[r * part.cols + c]} != code * double{scale}) ++wrong;
        }
      }
      CHECK(wrong == 0);
    }
  }
}

}  // namespace ckpt::weights::test
