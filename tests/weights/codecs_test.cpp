// Every packing against the library that writes it: fixtures/codecs, made by make.py beside it with
// compressed-tensors 0.20.0 and auto-round 0.15.1, decoded there by the same libraries.

#include <doctest/doctest.h>

#include <cstring>
#include <vector>

#include "tests/weights/opened.h"
#include "validator/base/json.h"
#include "validator/results/results.h"

namespace ckpt::weights::test {

namespace {

std::shared_ptr<const json::Document> expected() {
  auto file = open_file(std::string(CKPT_FIXTURES) + "/codecs/expected.json");
  REQUIRE(file);
  auto text = read_text(*file, 1U << 20);
  REQUIRE(text);
  auto document = json::parse(*std::move(text));
  REQUIRE(document);
  return *document;
}

/// Blocks of a packed weight decode to what stands in the whole one.
void check_blocks(const Model& model, std::uint32_t module, const std::vector<float>& whole,
                  std::uint64_t rows, std::uint64_t columns) {
  for (const Block& b : {Block{0, 1, 0, 1}, Block{5, 9, 17, 33}, Block{rows - 1, rows, 0, columns},
                         Block{0, rows, columns - 1, columns}, Block{3, rows, 40, columns - 5}}) {
    CAPTURE(b.row);
    CAPTURE(b.column);
    const auto part = model.load_block(module, b);
    REQUIRE_MESSAGE(part.has_value(), (part ? "" : part.error().message));
    const std::uint64_t wide = part->weight.row_size();
    REQUIRE(part->row <= b.row);
    REQUIRE(part->column <= b.column);
    REQUIRE(part->row + part->weight.rows() >= b.row_end);
    REQUIRE(part->column + wide >= b.column_end);
    const auto decoded = part->weight.decode_all();
    REQUIRE_MESSAGE(decoded.has_value(), (decoded ? "" : decoded.error().message));
    std::size_t wrong = 0;
    for (std::uint64_t r = part->row; r < part->row + part->weight.rows(); ++r) {
      for (std::uint64_t c = part->column; c < part->column + wide; ++c) {
        const float got = (*decoded)[(r - part->row) * wide + c - part->column];
        if (std::memcmp(&got, &whole[r * columns + c], sizeof got) != 0) ++wrong;
      }
    }
    CHECK(wrong == 0);
  }
  CHECK(model.load_block(module, {7, 7, 0, columns}).error().kind == ErrorKind::internal);
}

std::size_t check_repo(const std::string& name) {
  config::ModelConfig config;
  const auto repo = open_model(std::string(CKPT_FIXTURES) + "/codecs/" + name, config);
  REQUIRE(repo != nullptr);
  const auto document = expected();
  std::size_t cases = 0;
  document->root().find(name).each_member([&](const json::Member& one) {
    CAPTURE(std::string(one.name));
    const auto expert = one.value.find("expert").integer().value_or(-1);
    const std::string module =
        "model.layers.0.mlp.experts." + std::to_string(expert) + ".down_proj";
    const auto weight = repo->model.load(repo->at(module));
    REQUIRE_MESSAGE(weight.has_value(), (weight ? "" : weight.error().message));
    auto decoded = weight->decode_all();
    REQUIRE(decoded);
    check_blocks(repo->model, repo->at(module), *decoded, weight->rows(), weight->row_size());
    for (float& w : *decoded) w += 0.0F;  // -0 as 0
    std::size_t at = 0;
    one.value.find("first").each([&](const json::Value& v) {
      CHECK(double{(*decoded)[at++]} == v.number().value_or(1e300));
    });
    std::string bytes(decoded->size() * sizeof(float), '\0');
    std::memcpy(bytes.data(), decoded->data(), bytes.size());
    CHECK(results::sha256_hex(bytes) == one.value.find("sha256").string().value_or(""));
    ++cases;
  });
  return cases;
}

}  // namespace

TEST_CASE("packings of compressed-tensors, AutoRound, GPTQ, AWQ, FP8 and FP4 decode bit for bit") {
  CHECK(check_repo("plain") == 63);
}

TEST_CASE("packings that store zero points plainly decode bit for bit") {
  CHECK(check_repo("v2") == 24);
}

}  // namespace ckpt::weights::test
