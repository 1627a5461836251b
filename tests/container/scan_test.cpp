#include "validator/container/scan.h"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <random>

#include "validator/base/json.h"
#include "validator/container/order.h"

namespace ckpt::container {
namespace {

std::string header_of_three() {
  return R"({"__metadata__":{"format":"pt","note":"a \"} b \\"}, "b.weight":{"dtype":"BF16",)"
         R"("shape":[2,3],"data_offsets":[0,12]},"a":{ "shape" : [] ,"dtype":"F32",)"
         R"("data_offsets":[12,16]}, "c~ !/":{"data_offsets":[16,16],"dtype":"I32",)"
         R"("shape":[0,18446744073709551615]}}   )";
}

/// What a tree reader finds under the same rules, or false where the scan must not accept.
bool agrees_with_tree(const std::string& text, const HeaderScan& scan) {
  const auto document = json::parse(text);
  if (!document || !(*document)->duplicates().empty()) return false;
  std::size_t at = 0;
  bool same = true;
  (*document)->root().each_member([&](const json::Member& m) {
    if (m.name == "__metadata__") {
      same = same && m.value.raw() == scan.metadata;
      return;
    }
    if (at == scan.tensors.size()) {
      same = false;
      return;
    }
    const ScannedTensor& t = scan.tensors[at++];
    std::vector<std::uint64_t> shape;
    m.value.find("shape").each(
        [&](const json::Value& v) { shape.push_back(v.unsigned_integer().value_or(7)); });
    std::vector<std::uint64_t> range;
    m.value.find("data_offsets").each([&](const json::Value& v) {
      range.push_back(v.unsigned_integer().value_or(7));
    });
    same = same && m.name == t.name && m.value.size() == 3 &&
           m.value.find("dtype").string() == dtype_name(t.dtype) &&
           ShapeView(shape) == ShapeView(std::span(scan.dims).subspan(t.dims, t.rank)) &&
           range == std::vector<std::uint64_t>{t.begin, t.end};
  });
  return same && at == scan.tensors.size();
}

}  // namespace

TEST_CASE("a flawless header is scanned whole: names, dtypes, shapes, offsets, metadata") {
  const std::string text = header_of_three();
  HeaderScan scan;
  REQUIRE(scan_header(text, scan));
  REQUIRE(scan.tensors.size() == 3);
  CHECK(scan.tensors[1].name == "a");
  CHECK(scan.tensors[1].rank == 0);
  CHECK(scan.tensors[2].dtype == Dtype::i32);
  CHECK(agrees_with_tree(text, scan));
}

TEST_CASE("the scan gives up on everything that needs a judgement") {
  const char* rows[] = {
      "",
      "{",
      "[]",
      R"({"a":1})",
      R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},})",
      R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}} x)",
      R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}})",
      R"({"a":{"dtype":"F32","shape":[01],"data_offsets":[0,4]}})",
      R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4],"x":1}})",
      R"({"a":{"dtype":"F32","shape":[1],"shape":[1],"data_offsets":[0,4]}})",
      R"({"a":{"dtype":"f32","shape":[1],"data_offsets":[0,4]}})",
      R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}})",
      R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[4,0]}})",
      R"({"a":{"dtype":"F32","shape":[0,18446744073709551616],"data_offsets":[0,0]}})",
      R"({"a\u0062":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})",
      "{\"a\x01\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}",
      "{\"\xC3\xA4\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}",
  };
  for (const char* row : rows) {
    CAPTURE(row);
    HeaderScan scan;
    CHECK_FALSE(scan_header(row, scan));
  }
}

TEST_CASE("whatever the scan accepts, the tree reader accepts and reads alike") {
  const std::string whole = header_of_three();
  std::mt19937 random(7);
  int accepted = 0;
  for (int round = 0; round < 60'000; ++round) {
    std::string text = whole;
    for (unsigned edits = 1 + random() % 2; edits > 0; --edits) {
      const std::size_t at = random() % text.size();
      switch (random() % 3) {
        case 0:
          text[at] = static_cast<char>(random() % 256);
          break;
        case 1:
          text.erase(at, 1 + random() % 3);
          break;
        default:
          text.insert(at, 1, R"({}[],:" \0123456789aeE-+.)"[random() % 25]);
      }
    }
    HeaderScan scan;
    if (!scan_header(text, scan)) continue;
    // What stands inside the metadata is for the caller to read.
    if (!scan.metadata.empty() && !json::parse(std::string(scan.metadata))) continue;
    ++accepted;
    CAPTURE(text);
    CHECK(agrees_with_tree(text, scan));
  }
  CHECK(accepted > 1000);
}

TEST_CASE("an index is scanned in file order with the place of each file name") {
  const std::string text =
      "{\n  \"metadata\": {\"total_size\": 8},\n  \"weight_map\": {\n"
      "    \"b\": \"x.safetensors\",\n    \"a\": \"y.safetensors\"\n  }\n}\n";
  IndexScan scan;
  REQUIRE(scan_index(text, scan));
  REQUIRE(scan.entries.size() == 2);
  CHECK(scan.entries[0].tensor == "b");
  CHECK(scan.entries[1].file == "y.safetensors");
  CHECK(text.compare(scan.entries[1].offset, 15, "\"y.safetensors\"") == 0);
  CHECK(scan.metadata == R"({"total_size": 8})");
  IndexScan twice;
  CHECK_FALSE(scan_index(R"({"weight_map":{"a":"x","a":"x"}})", twice));
  IndexScan none;
  CHECK_FALSE(scan_index(R"({"weight_map":{}})", none));
}

TEST_CASE("names come into order whatever runs they stand in, equal ones stay as they were") {
  std::mt19937 random(11);
  for (const std::size_t n : {0U, 1U, 2U, 7U, 100U, 1000U}) {
    for (const unsigned range : {1U, 5U, 100'000U}) {
      std::vector<std::pair<std::string, int>> items;
      for (std::size_t i = 0; i < n; ++i) {
        items.emplace_back(fmt::format("{:06}", random() % range), static_cast<int>(i));
      }
      auto expected = items;
      std::ranges::stable_sort(expected, {}, &std::pair<std::string, int>::first);
      sort_by_name(items, &std::pair<std::string, int>::first);
      CHECK(items == expected);
    }
  }
}

}  // namespace ckpt::container
