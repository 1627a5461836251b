// JSONTestSuite through the reader that all JSON of a repo goes through.

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <string>
#include <vector>

#include "validator/base/file.h"
#include "validator/base/json.h"
#include "validator/base/json_flaw.h"

using namespace ckpt;

namespace {

std::vector<std::string> files(const char* folder) {
  std::vector<std::string> out;
  for (const auto& entry :
       std::filesystem::directory_iterator(std::string(CKPT_FIXTURES "/json/") + folder)) {
    out.push_back(entry.path().string());
  }
  std::ranges::sort(out);
  return out;
}

std::string content(const std::string& path) {
  const auto file = open_file(path);
  REQUIRE(file);
  auto text = read_text(*file, 1U << 24);
  REQUIRE(text);
  return *std::move(text);
}

std::string name_of(const std::string& path) {
  return std::filesystem::path(path).filename().string();
}

// The i_ files that are accepted: numbers below the smallest double, integers above 64 bits. All
// others are refused: beyond the largest double, not UTF-8, lone surrogates, a byte order mark, 500
// levels.
constexpr std::array<std::string_view, 5> kAcceptedEither{
    "i_number_double_huge_neg_exp.json", "i_number_real_underflow.json",
    "i_number_too_big_neg_int.json", "i_number_too_big_pos_int.json",
    "i_number_very_big_negative_int.json"};

struct Transform {
  std::string_view name;
  bool accepted;
  std::size_t duplicates;
};

constexpr std::array<Transform, 22> kTransforms{{
    {"number_-9223372036854775808.json", true, 0},
    {"number_-9223372036854775809.json", true, 0},
    {"number_1.0.json", true, 0},
    {"number_1.000000000000000005.json", true, 0},
    {"number_1000000000000000.json", true, 0},
    {"number_10000000000000000999.json", true, 0},
    {"number_1e-999.json", true, 0},
    {"number_1e6.json", true, 0},
    {"number_9223372036854775807.json", true, 0},
    {"number_9223372036854775808.json", true, 0},
    {"object_key_nfc_nfd.json", true, 0},
    {"object_key_nfd_nfc.json", true, 0},
    {"object_same_key_different_values.json", true, 1},
    {"object_same_key_same_value.json", true, 1},
    {"object_same_key_unclear_values.json", true, 1},
    {"string_1_escaped_invalid_codepoint.json", false, 0},
    {"string_1_invalid_codepoint.json", false, 0},
    {"string_2_escaped_invalid_codepoints.json", false, 0},
    {"string_2_invalid_codepoints.json", false, 0},
    {"string_3_escaped_invalid_codepoints.json", false, 0},
    {"string_3_invalid_codepoints.json", false, 0},
    {"string_with_escaped_NULL.json", true, 0},
}};

}  // namespace

TEST_CASE("json suite: all 95 y_ are accepted, all 188 n_ refused, the 35 i_ as written down") {
  std::array<int, 256> count{};
  for (const std::string& path : files("test_parsing")) {
    const std::string name = name_of(path);
    CAPTURE(name);
    const auto document = json::parse(content(path));
    const bool either = std::ranges::find(kAcceptedEither, name) != kAcceptedEither.end();
    CHECK(document.has_value() == (name[0] == 'y' || either));
    if (!document) CHECK(document.error().message.find("byte ") == 0);
    ++count[static_cast<unsigned char>(name[0])];
  }
  CHECK(count['y'] == 95);
  CHECK(count['n'] == 188);
  CHECK(count['i'] == 35);
}

TEST_CASE("json suite: the slow scanner that explains agrees with the fast parser") {
  for (const std::string& path : files("test_parsing")) {
    const std::string name = name_of(path);
    CAPTURE(name);
    const std::string text = content(path);
    const auto document = json::parse(text);
    if (document) {
      CHECK_FALSE(json::find_flaw(text).has_value());
    } else if (document.error().message.find("UTF-8") == std::string::npos &&
               document.error().message.find("byte order") == std::string::npos) {
      CHECK(json::find_flaw(text).has_value());
    }
  }
}

TEST_CASE("json suite: every transform file has the verdict written down") {
  const auto paths = files("test_transform");
  REQUIRE(paths.size() == kTransforms.size());
  for (const Transform& t : kTransforms) {
    CAPTURE(t.name);
    const auto document =
        json::parse(content(std::string(CKPT_FIXTURES "/json/test_transform/").append(t.name)));
    REQUIRE(document.has_value() == t.accepted);
    if (document) CHECK((*document)->duplicates().size() == t.duplicates);
  }
}

TEST_CASE("json suite: every prefix of a valid file is handled") {
  for (const std::string& path : files("test_parsing")) {
    const std::string text = content(path);
    if (text.size() > 2000 || name_of(path)[0] != 'y') continue;
    for (std::size_t n = 0; n < text.size(); ++n) {
      const std::string part = text.substr(0, n);
      const auto document = json::parse(part);
      CHECK((document || document.error().message.find("byte ") == 0));
    }
  }
}
