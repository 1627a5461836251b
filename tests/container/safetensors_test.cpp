#include "validator/container/safetensors.h"

#include <doctest/doctest.h>

#include <algorithm>

#include "tests/container/crafted.h"

namespace ckpt::container {
namespace {

Header header_of(const std::string& bytes) {
  const testing::TempDir dir;
  dir.write("a.safetensors", bytes);
  const auto file = open_file(dir.path() + "/a.safetensors");
  REQUIRE(file.has_value());
  return read_header(*file, "a.safetensors");
}

bool has(const Header& h, DefectKind kind) {
  return std::ranges::any_of(h.defects, [kind](const Defect& d) { return d.kind == kind; });
}

const std::string kData(16, 'x');

std::string entry(const std::string& name, const std::string& dtype, const std::string& shape,
                  const std::string& offsets) {
  return "\"" + name + R"(":{"dtype":")" + dtype + R"(","shape":)" + shape + R"(,"data_offsets":)" +
         offsets + "}";
}

}  // namespace

TEST_CASE("legal and easily rejected by mistake: accepted without a defect") {
  const std::string good = testing::one_tensor();

  struct Row {
    const char* what;
    std::string header;
    std::string data;
  };

  const Row rows[] = {
      {"plain", good, kData},
      {"trailing white space", good + " \t\r\n  ", kData},
      {"odd header length", good + " ", kData},
      {"metadata", R"({"__metadata__":{"format":"pt"},)" + good.substr(1), kData},
      {"metadata null", R"({"__metadata__":null,)" + good.substr(1), kData},
      {"no tensors", "{}", ""},
      {"empty name", testing::one_tensor(""), kData},
      {"scalar", "{" + entry("s", "F32", "[]", "[0,4]") + "}", "abcd"},
      {"zero size between others",
       "{" + entry("a", "F32", "[2]", "[0,8]") + "," + entry("z", "F32", "[0,9]", "[8,8]") + "," +
           entry("b", "F32", "[2]", "[8,16]") + "}",
       kData},
      {"any order",
       "{" + entry("b", "F32", "[2]", "[8,16]") + "," + entry("a", "F32", "[2]", "[0,8]") + "}",
       kData},
      {"dimension beyond 2^53 beside zero",
       "{" + entry("a", "F32", "[0,9007199254740993]", "[0,0]") + "}", ""},
      {"sub-byte dtype with whole bytes", "{" + entry("a", "F4", "[4,8]", "[0,16]") + "}", kData},
  };
  for (const Row& row : rows) {
    CAPTURE(row.what);
    const Header h = header_of(testing::safetensors(row.header, row.data));
    CHECK(h.defects.empty());
  }
}

TEST_CASE("each way of being broken has its own defect") {
  const std::string good = testing::one_tensor();

  struct Row {
    const char* what;
    std::string bytes;
    DefectKind kind;
  };

  const auto one = [](const std::string& dtype, const std::string& shape,
                      const std::string& offsets) {
    return testing::safetensors("{" + entry("w", dtype, shape, offsets) + "}", kData);
  };
  const Row rows[] = {
      {"empty", "", DefectKind::header_length},
      {"seven bytes", "1234567", DefectKind::header_length},
      {"length beyond the file", std::string("\xff\x00\x00\x00\x00\x00\x00\x00", 8) + "{}",
       DefectKind::header_length},
      {"length that wraps", std::string(8, '\xff') + "{}", DefectKind::header_length},
      {"LFS pointer", "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n",
       DefectKind::not_safetensors},
      {"HTML", "<!DOCTYPE html><html></html>", DefectKind::not_safetensors},
      {"pickle", std::string("\x80\x02}q\x00.", 6) + std::string(20, 'q'),
       DefectKind::not_safetensors},
      {"NUL padding", testing::safetensors(good + std::string(3, '\0'), kData),
       DefectKind::header_text},
      {"byte order mark", testing::safetensors("\xEF\xBB\xBF" + good, kData),
       DefectKind::header_text},
      {"array", testing::safetensors("[]", ""), DefectKind::header_text},
      {"duplicate",
       testing::safetensors(good.substr(0, good.size() - 1) + "," + good.substr(1), kData),
       DefectKind::duplicate_name},
      {"duplicate by escape",
       testing::safetensors(good.substr(0, good.size() - 1) +
                                R"(,"\u0077":{"dtype":"F32","shape":[2,2],"data_offsets":[0,16]}})",
                            kData),
       DefectKind::duplicate_name},
      {"trailing byte", testing::safetensors(good, kData + "x"), DefectKind::hole},
      {"hole at the start", one("F32", "[2]", "[8,16]"), DefectKind::hole},
      {"truncated", testing::safetensors(good, kData.substr(1)), DefectKind::truncated},
      {"shape too large", one("F32", "[2,3]", "[0,16]"), DefectKind::size_mismatch},
      {"product wraps", one("F32", "[4611686018427387905,4]", "[0,16]"), DefectKind::size_mismatch},
      {"bits wrap", one("F32", "[576460752303423488]", "[0,16]"), DefectKind::size_mismatch},
      {"half a byte", one("F4", "[3]", "[0,16]"), DefectKind::size_mismatch},
      {"reversed", one("F32", "[2,2]", "[16,0]"), DefectKind::overlap},
      {"lower case dtype", one("f32", "[2,2]", "[0,16]"), DefectKind::unknown_dtype},
      {"float dimension", one("F32", "[2.0,2]", "[0,16]"), DefectKind::entry},
      {"negative dimension", one("F32", "[-2,2]", "[0,16]"), DefectKind::entry},
      {"dimension 2^64", one("F32", "[18446744073709551616]", "[0,16]"), DefectKind::entry},
      {"three offsets", one("F32", "[2,2]", "[0,8,16]"), DefectKind::entry},
      {"entry is an array", testing::safetensors(R"({"w":["F32",[2,2],[0,16]]})", kData),
       DefectKind::entry},
      {"metadata number",
       testing::safetensors(R"({"__metadata__":{"a":1},)" + good.substr(1), kData),
       DefectKind::metadata},
      {"leading space", testing::safetensors(" " + good, kData), DefectKind::irregular},
      {"unknown field",
       testing::safetensors(R"({"w":{"dtype":"F32","shape":[2,2],"data_offsets":[0,16],"x":1}})",
                            kData),
       DefectKind::irregular},
      {"escape in a name", testing::safetensors(testing::one_tensor(R"(a\u001b[2J)"), kData),
       DefectKind::name_odd},
  };
  for (const Row& row : rows) {
    CAPTURE(row.what);
    CHECK(has(header_of(row.bytes), row.kind));
  }
}

TEST_CASE("overlap names both tensors, and messages hold no raw control bytes") {
  const Header h =
      header_of(testing::safetensors("{" + entry("a", "F32", "[2]", "[0,8]") + "," +
                                         entry(R"(b\u0007)", "F32", "[3]", "[4,16]") + "}",
                                     kData));
  REQUIRE(has(h, DefectKind::overlap));
  for (const Defect& d : h.defects) {
    CHECK(std::ranges::none_of(d.message, [](char c) { return c >= 0 && c < 0x20; }));
    if (d.kind == DefectKind::overlap) CHECK(d.message.find("inside `a`") != std::string::npos);
  }
}

TEST_CASE("every truncation of a small file is reported, at any length") {
  const std::string whole = testing::safetensors(
      "{" + entry("a", "F32", "[2]", "[0,8]") + "," + entry("b", "F32", "[2]", "[8,16]") + "}",
      kData);
  for (std::size_t n = 0; n < whole.size(); ++n) {
    CAPTURE(n);
    CHECK_FALSE(header_of(whole.substr(0, n)).defects.empty());
  }
}

TEST_CASE("no flipped bit of prefix or header crashes, and none hides a tensor outside the file") {
  const std::string whole = testing::safetensors(testing::one_tensor(), kData);
  for (std::size_t bit = 0; bit < 8 * (whole.size() - kData.size()); ++bit) {
    std::string flipped = whole;
    flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << (bit % 8)));
    const Header h = header_of(flipped);
    for (const Tensor& t : h.tensors) CHECK(t.end <= flipped.size());
  }
}

TEST_CASE("a header that claims much costs no more than its bytes") {
  const Header h = header_of(
      testing::safetensors("{" +
                               entry("w", "F32", "[18446744073709551615,18446744073709551615]",
                                     "[0,18446744073709551615]") +
                               "}",
                           kData));
  CHECK(has(h, DefectKind::size_mismatch));
  CHECK(h.tensors.empty());
}

}  // namespace ckpt::container
