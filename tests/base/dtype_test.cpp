#include "validator/base/dtype.h"

#include <doctest/doctest.h>

#include <array>
#include <limits>
#include <string>

using namespace ckpt;

namespace {

struct Row {
  std::string_view name;
  unsigned bits;
  bool floating;
};

// safetensors 0.8.0, src/tensor.rs, in its order.
constexpr std::array<Row, 22> kRows{{
    {"BOOL", 8, false},   {"F4", 4, true},          {"F6_E2M3", 6, true},     {"F6_E3M2", 6, true},
    {"U8", 8, false},     {"I8", 8, false},         {"F8_E5M2", 8, true},     {"F8_E4M3", 8, true},
    {"F8_E8M0", 8, true}, {"F8_E4M3FNUZ", 8, true}, {"F8_E5M2FNUZ", 8, true}, {"I16", 16, false},
    {"U16", 16, false},   {"F16", 16, true},        {"BF16", 16, true},       {"I32", 32, false},
    {"U32", 32, false},   {"F32", 32, true},        {"C64", 64, true},        {"F64", 64, true},
    {"I64", 64, false},   {"U64", 64, false},
}};

constexpr std::uint64_t kMax = std::numeric_limits<std::uint64_t>::max();

}  // namespace

TEST_CASE("dtype: names, bits and kind of all 22") {
  for (std::size_t i = 0; i < kRows.size(); ++i) {
    const auto dtype = static_cast<Dtype>(i);
    CAPTURE(kRows[i].name);
    CHECK(dtype_name(dtype) == kRows[i].name);
    CHECK(parse_dtype(kRows[i].name) == dtype);
    CHECK(dtype_bits(dtype) == kRows[i].bits);
    CHECK(is_float(dtype) == kRows[i].floating);
  }
}

TEST_CASE("dtype: only the exact spelling counts") {
  for (const char* name : {"", "bf16", "BF16 ", " BF16", "BF", "BF166", "F8", "FLOAT", "U4"}) {
    CAPTURE(name);
    CHECK_FALSE(parse_dtype(name).has_value());
  }
  CHECK_FALSE(parse_dtype(std::string_view("BF16\0", 5)).has_value());
}

TEST_CASE("dtype: element counts are exact or nothing") {
  CHECK(element_count(Shape{}) == 1U);
  CHECK(element_count(Shape{3, 4, 5}) == 60U);
  CHECK(element_count(Shape{0}) == 0U);
  CHECK(element_count(Shape{kMax, 0, kMax}) == 0U);  // legal beside a zero
  CHECK(element_count(Shape{kMax, kMax, 0}) == 0U);
  CHECK(element_count(Shape{kMax}) == kMax);
  CHECK_FALSE(element_count(Shape{kMax, 2}).has_value());
  CHECK_FALSE(element_count(Shape{1ULL << 32, 1ULL << 32}).has_value());  // wraps to 0
  CHECK_FALSE(element_count(Shape{1ULL << 32, 1ULL << 32, 5}).has_value());
}

TEST_CASE("dtype: byte counts are exact, whole, or nothing") {
  CHECK(byte_count(Dtype::bf16, Shape{}) == 2U);
  CHECK(byte_count(Dtype::f32, Shape{2, 3}) == 24U);
  CHECK(byte_count(Dtype::f4, Shape{2}) == 1U);
  CHECK(byte_count(Dtype::f6_e2m3, Shape{4}) == 3U);
  CHECK_FALSE(byte_count(Dtype::f4, Shape{3}).has_value());
  CHECK_FALSE(byte_count(Dtype::f6_e3m2, Shape{2}).has_value());
  CHECK(byte_count(Dtype::f64, Shape{0, kMax}) == 0U);
  CHECK_FALSE(byte_count(Dtype::u8, Shape{kMax}).has_value());  // its bits overflow
  CHECK_FALSE(byte_count(Dtype::f64, Shape{1ULL << 58}).has_value());
  CHECK(byte_count(Dtype::f64, Shape{(1ULL << 58) - 1}) == ((1ULL << 58) - 1) * 8);
}
