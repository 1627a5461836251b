// Every case of two tokenizers against what the tokenizers library made of it.

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "validator/base/file.h"
#include "validator/base/json.h"
#include "validator/tokenizer/tokenizer.h"

using namespace ckpt;
using tokenizer::Tokenizer;

namespace {

std::string fixture(const std::string& name) {
  const auto file = open_file(std::string(CKPT_FIXTURES "/tokenizer/") + name);
  REQUIRE(file);
  auto text = read_text(*file, 1U << 24);
  REQUIRE(text);
  return *std::move(text);
}

std::vector<std::uint32_t> numbers(const json::Value& list) {
  std::vector<std::uint32_t> out;
  list.each([&](const json::Value& v) {
    out.push_back(static_cast<std::uint32_t>(v.unsigned_integer().value()));
  });
  return out;
}

std::vector<std::string> strings(const json::Value& list) {
  std::vector<std::string> out;
  list.each([&](const json::Value& v) { out.emplace_back(v.string().value()); });
  return out;
}

void check_case(const Tokenizer& t, const json::Value& c) {
  const std::string text(c.find("text").string().value());
  CAPTURE(text);
  const auto ids = t.encode(text);
  REQUIRE(ids);
  CHECK(*ids == numbers(c.find("ids")));
  CHECK(t.normalize(text) == c.find("nfc").string().value());
  const auto pieces = t.pieces(text);
  REQUIRE(pieces);
  CHECK(*pieces == strings(c.find("pieces_without_added_tokens")));
  CHECK(t.decode(numbers(c.find("ids"))) == c.find("decoded_keep_special").string().value());
}

}  // namespace

TEST_CASE("tokenizer: ids, normal form, pieces and decoded text equal those of the library") {
  struct Set {
    const char* folder;
    std::size_t cases;
    std::size_t vocabulary;
  };

  for (const Set set : {Set{"qwen2_regex", 537, 2048}, Set{"qwen35_regex", 539, 4096}}) {
    CAPTURE(set.folder);
    const auto t = Tokenizer::parse(fixture(std::string(set.folder) + "/tokenizer.json"));
    REQUIRE_MESSAGE(t, t.error().message);
    CHECK(t->vocab_size() == set.vocabulary);
    CHECK(t->id_limit() == set.vocabulary);
    const auto cases = json::parse(fixture(std::string(set.folder) + "/cases.json"));
    REQUIRE(cases);
    std::size_t n = 0;
    (*cases)->root().find("cases").each([&](const json::Value& c) {
      check_case(*t, c);
      ++n;
    });
    CHECK(n == set.cases);
  }
}
