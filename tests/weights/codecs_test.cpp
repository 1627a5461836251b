// Every packing against the library that writes it: fixtures/codecs, made by make.py beside it with
// compressed-tensors 0.20.0 and auto-round 0.15.1, decoded there by the same libraries.

#include <doctest/doctest.h>

#include <cstring>

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
