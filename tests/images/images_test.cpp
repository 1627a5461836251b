// Pictures against Pillow and against the image processor of transformers (make_golden.py), and
// pictures from strangers.

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <span>
#include <string>
#include <vector>

#include "tests/support.h"
#include "validator/base/limits.h"
#include "validator/images/decode.h"
#include "validator/images/processor.h"
#include "validator/images/resize.h"

namespace ckpt::images {

namespace {

std::string fnv(std::span<const std::byte> bytes) {
  std::uint64_t h = 0xCBF29CE484222325ULL;
  for (const std::byte b : bytes) {
    h = (h ^ std::to_integer<std::uint64_t>(b)) * 0x100000001B3ULL;
  }
  return fmt::format("{:016x}", h);
}

template <class T>
std::string fnv(const std::vector<T>& values) {
  return fnv(std::as_bytes(std::span(values)));
}

Picture formula(std::int64_t width, std::int64_t height) {
  Picture p{width, height, {}};
  for (std::int64_t y = 0; y < height; ++y) {
    for (std::int64_t x = 0; x < width; ++x) {
      for (std::int64_t c = 0; c < 3; ++c) {
        p.rgb.push_back(
            static_cast<std::uint8_t>((x * 7 + y * 13 + c * 50 + (x * y) % 31 * 5) % 256));
      }
    }
  }
  return p;
}

std::vector<double> numbers(const json::Value& list) {
  std::vector<double> out;
  list.each([&](const json::Value& v) { out.push_back(v.number().value_or(-1)); });
  return out;
}

std::int64_t whole(const json::Value& list, std::size_t i) {
  return static_cast<std::int64_t>(numbers(list).at(i));
}

std::vector<std::byte> unhex(std::string_view text) {
  const auto digit = [](char c) { return c <= '9' ? c - '0' : c - 'a' + 10; };
  std::vector<std::byte> out;
  for (std::size_t i = 0; i + 1 < text.size(); i += 2) {
    out.push_back(static_cast<std::byte>(16 * digit(text[i]) + digit(text[i + 1])));
  }
  return out;
}

/// Calls `f(case)` for each case of a part of the golden file; how many there were.
template <class F>
int each_case(std::string_view part, F f) {
  const auto golden = testing::read_json(std::string(CKPT_SOURCE) + "/tests/images/golden.json");
  REQUIRE(golden != nullptr);
  int n = 0;
  golden->root().find(part).each([&](const json::Value& v) {
    f(v);
    ++n;
  });
  return n;
}

/// The golden file of that name.
std::vector<std::byte> golden_file(std::string_view name) {
  std::vector<std::byte> out;
  each_case("decoded", [&](const json::Value& v) {
    if (v.find("name").string() == name) out = unhex(*v.find("hex").string());
  });
  REQUIRE(!out.empty());
  return out;
}

bool can_decode() {
  const auto picture = decode_image(golden_file("rgb.png"));
  if (picture || picture.error().kind != ErrorKind::unsupported) return true;
  MESSAGE("built without libpng and libjpeg: nothing to compare");
  return false;
}

/// Writes a big-endian number; for PNG also the checksum of the chunk that holds it.
void put(std::vector<std::byte>& file, std::size_t at, std::uint64_t value, unsigned width) {
  for (unsigned i = 0; i < width; ++i) {
    file[at + i] = static_cast<std::byte>(value >> (8 * (width - 1 - i)) & 0xFF);
  }
}

void seal_header(std::vector<std::byte>& png) {
  std::uint32_t crc = 0xFFFFFFFF;
  for (std::size_t i = 12; i < 29; ++i) {
    crc ^= std::to_integer<std::uint32_t>(png[i]);
    for (int k = 0; k < 8; ++k) crc = (crc & 1) != 0 ? (crc >> 1) ^ 0xEDB88320U : crc >> 1;
  }
  put(png, 29, ~crc & 0xFFFFFFFFU, 4);
}

}  // namespace

TEST_CASE("pictures resized are torch's to the bit, larger and smaller, on either axis") {
  const int n = each_case("resize", [](const json::Value& v) {
    CAPTURE(v.raw());
    const Picture from = formula(whole(v.find("from"), 0), whole(v.find("from"), 1));
    const auto to = resized(from, whole(v.find("to"), 0), whole(v.find("to"), 1));
    REQUIRE(to);
    CHECK(fnv(to->rgb) == v.find("fnv").string());
  });
  CHECK(n == 8);
}

TEST_CASE("sizes are those of the processor, and impossible ones are errors") {
  each_case("smart_resize", [](const json::Value& v) {
    CAPTURE(v.raw());
    ProcessorConfig config;
    config.min_pixels = whole(v.find("bounds"), 0);
    config.max_pixels = whole(v.find("bounds"), 1);
    const auto to = smart_resize(whole(v.find("size"), 0), whole(v.find("size"), 1),
                                 *v.find("factor").integer(), config);
    REQUIRE(to);
    CHECK(to->first == whole(v.find("to"), 0));
    CHECK(to->second == whole(v.find("to"), 1));
  });
  CHECK(smart_resize(10, 2001, 32, {}).error().kind == ErrorKind::format);
  ProcessorConfig wide;
  wide.min_pixels = static_cast<std::int64_t>(limits::kImagePixels) + 1;
  wide.max_pixels = 2 * wide.min_pixels;
  CHECK(smart_resize(100, 100, 32, wide).error().kind == ErrorKind::limit);
}

TEST_CASE("patches are those of the processor to the bit") {
  const int n = each_case("processed", [](const json::Value& v) {
    CAPTURE(v.raw());
    ProcessorConfig config;
    config.patch_size = *v.find("patch").integer();
    config.min_pixels = whole(v.find("bounds"), 0);
    config.max_pixels = whole(v.find("bounds"), 1);
    std::ranges::copy(numbers(v.find("mean")), config.mean.begin());
    std::ranges::copy(numbers(v.find("std")), config.std.begin());
    const Picture from = formula(whole(v.find("from"), 0), whole(v.find("from"), 1));
    const auto prepared = Prepared::make(from, config);
    REQUIRE(prepared);
    CHECK(prepared->grid_height() == whole(v.find("grid"), 1));
    CHECK(prepared->grid_width() == whole(v.find("grid"), 2));
    const std::vector<float> patches = prepared->patches();
    CHECK(double{patches[1]} == numbers(v.find("first"))[1]);
    CHECK(fnv(patches) == v.find("fnv").string());
  });
  CHECK(n == 3);
}

TEST_CASE("PNG and JPEG decode to what Pillow decodes, turned upright") {
  if (!can_decode()) return;
  const int n = each_case("decoded", [](const json::Value& v) {
    CAPTURE(*v.find("name").string());
    const auto picture = decode_image(unhex(*v.find("hex").string()));
    REQUIRE(picture);
    CHECK(picture->width == whole(v.find("size"), 0));
    CHECK(picture->height == whole(v.find("size"), 1));
    CHECK(fnv(picture->rgb) == v.find("fnv").string());
  });
  CHECK(n == 18);
}

TEST_CASE("a picture cut short anywhere is an error") {
  if (!can_decode()) return;
  for (const std::string_view name : {"rgb.png", "palette.png", "full.jpg", "progressive.jpg"}) {
    CAPTURE(name);
    const std::vector<std::byte> whole_file = golden_file(name);
    // The end marker of a JPEG alone may be missing unnoticed; nothing else may.
    const std::size_t end = whole_file.size() - 2;
    for (std::size_t n = 0; n < end; ++n) {
      CAPTURE(n);
      CHECK_FALSE(decode_image(std::span(whole_file).first(n)));
    }
  }
}

TEST_CASE("a picture with any byte changed decodes or is an error") {
  if (!can_decode()) return;
  int refused = 0;
  each_case("decoded", [&](const json::Value& v) {
    const std::vector<std::byte> good = unhex(*v.find("hex").string());
    for (std::size_t i = 0; i < good.size(); ++i) {
      for (const unsigned flip : {0x01U, 0x80U, 0xFFU}) {
        std::vector<std::byte> bad = good;
        bad[i] ^= static_cast<std::byte>(flip);
        const auto picture = decode_image(bad);
        if (!picture) ++refused;
        if (picture)
          CHECK(picture->rgb.size() ==
                3U * static_cast<std::size_t>(picture->width * picture->height));
      }
    }
  });
  CHECK(refused > 1000);
}

TEST_CASE("a few bytes that claim a huge picture allocate nothing") {
  if (!can_decode()) return;
  std::vector<std::byte> png = golden_file("rgb.png");
  put(png, 16, 60'000, 4);
  put(png, 20, 60'000, 4);
  seal_header(png);
  CHECK(decode_image(png).error().kind == ErrorKind::limit);
  std::vector<std::byte> jpeg = golden_file("full.jpg");
  for (std::size_t i = 2; i + 9 < jpeg.size(); ++i) {
    if (jpeg[i] != std::byte{0xFF} || jpeg[i + 1] != std::byte{0xC0}) continue;
    put(jpeg, i + 5, 65'500, 2);
    put(jpeg, i + 7, 65'500, 2);
    break;
  }
  CHECK(decode_image(jpeg).error().kind == ErrorKind::limit);
  const std::vector<std::byte> long_file(limits::kImageBytes + 1);
  CHECK(decode_image(long_file).error().kind == ErrorKind::limit);
}

TEST_CASE("what is no picture here is named") {
  if (!can_decode()) return;
  CHECK(decode_image({}).error().message == "neither PNG nor JPEG");
  std::vector<std::byte> deep = golden_file("grey.png");
  put(deep, 24, 16, 1);  // bits a channel
  seal_header(deep);
  CHECK(decode_image(deep).error().kind == ErrorKind::unsupported);
}

TEST_CASE("the processor is read from the repo, and one that is not ours is refused") {
  const auto read = [](const std::string& name, const std::string& text) {
    const testing::TempDir folder;
    folder.write(name, text);
    const auto repo = repo::Repo::open(folder.path());
    REQUIRE(repo);
    return read_processor(*repo, {});
  };
  const std::string good =
      R"("patch_size":16,"size":{"shortest_edge":65536,"longest_edge":16777216})";
  const auto c = read("preprocessor_config.json", "{" + good + R"(,"image_mean":[0.5,0.5,0.25]})");
  REQUIRE(c);
  CHECK(c->min_pixels == 65536);
  CHECK(c->max_pixels == 16777216);
  CHECK(c->mean[2] == 0.25);
  CHECK(read("processor_config.json", R"({"image_processor":{)" + good + "}}"));
  CHECK(read("other.json", "{}").error().kind == ErrorKind::not_found);
  for (const char* wrong : {R"({"patch_size":14})", R"({"patch_size":16,"image_std":[1,2]})",
                            R"([1])", R"({"patch_size":16,"size":{"longest_edge":-5}})",
                            R"({"patch_size":16,"image_mean":"x"})"}) {
    CAPTURE(wrong);
    const auto result = read("preprocessor_config.json", wrong);
    REQUIRE(!result);
    CHECK(result.error().kind == ErrorKind::format);
  }
  for (const char* other : {R"({"patch_size":16,"resample":2})",
                            R"({"patch_size":16,"image_processor_type":"CLIPImageProcessor"})"}) {
    CHECK(read("preprocessor_config.json", other).error().kind == ErrorKind::unsupported);
  }
}

}  // namespace ckpt::images
