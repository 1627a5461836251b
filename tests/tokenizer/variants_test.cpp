// Small tokenizers that differ in one setting each, against what the tokenizers library made of the
// same texts (fixtures/tokenizer/variants/make.py).

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "validator/base/file.h"
#include "validator/base/json.h"
#include "validator/tokenizer/tokenizer.h"

using namespace ckpt;
using tokenizer::Tokenizer;

namespace {

void check_variant(const Tokenizer& t, const json::Value& cases) {
  cases.each([&](const json::Value& c) {
    std::vector<std::uint32_t> want;
    c.find("ids").each([&](const json::Value& v) {
      want.push_back(static_cast<std::uint32_t>(v.unsigned_integer().value()));
    });
    const std::string text(c.find("text").string().value());
    CAPTURE(c.find("text").raw());
    const auto ids = t.encode(text);
    REQUIRE_MESSAGE(ids, ids.error().message);
    CHECK(*ids == want);
    CHECK(t.decode(want) == c.find("decoded").string().value());
  });
}

}  // namespace

TEST_CASE("tokenizer: every supported setting behaves as in the library") {
  const auto file = open_file(CKPT_FIXTURES "/tokenizer/variants/cases.json");
  REQUIRE(file);
  auto text = read_text(*file, 1U << 24);
  REQUIRE(text);
  const auto document = json::parse(*std::move(text));
  REQUIRE(document);
  std::size_t n = 0;
  (*document)->root().find("variants").each([&](const json::Value& variant) {
    const std::string name(variant.find("name").string().value());
    CAPTURE(name);
    const auto t = Tokenizer::parse(std::string(variant.find("tokenizer").raw()));
    REQUIRE_MESSAGE(t, t.error().message);
    check_variant(*t, variant.find("cases"));
    ++n;
  });
  CHECK(n == 14);
}
