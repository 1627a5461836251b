#include "validator/base/bits.h"

#include <doctest/doctest.h>

#include <array>
#include <cmath>
#include <limits>

using namespace ckpt;

namespace {

constexpr std::uint32_t kAll16 = 1U << 16;

bool same_bits(float a, float b) {
  return std::bit_cast<std::uint32_t>(a) == std::bit_cast<std::uint32_t>(b);
}

/// The value of an f16, from the definition of the format (IEEE 754, binary16).
double f16_by_definition(std::uint16_t bits) {
  const int exponent = (bits >> 10) & 0x1F;
  const int mantissa = bits & 0x3FF;
  const double sign = (bits & 0x8000) != 0 ? -1.0 : 1.0;
  if (exponent == 0) return sign * std::ldexp(mantissa, -24);
  return sign * std::ldexp(1024 + mantissa, exponent - 25);
}

/// The 16-bit pattern nearest to `value` of two neighbours, the even one on a tie.
std::uint16_t nearest_of(double value, std::uint16_t low, std::uint16_t high, double low_value,
                         double high_value) {
  const double below = value - low_value;
  const double above = high_value - value;
  if (below != above) return below < above ? low : high;
  return (low & 1) == 0 ? low : high;
}

}  // namespace

TEST_CASE("f16: every finite pattern has the value that the format defines, and comes back") {
  for (std::uint32_t i = 0; i < kAll16; ++i) {
    const auto bits = static_cast<std::uint16_t>(i);
    if ((bits & 0x7C00) == 0x7C00) continue;
    CAPTURE(bits);
    REQUIRE(static_cast<double>(f16_to_f32(bits)) == f16_by_definition(bits));
    REQUIRE(f32_to_f16(f16_to_f32(bits)) == bits);
  }
}

TEST_CASE("f16: infinities and NaN survive both ways") {
  for (std::uint32_t i = 0; i < kAll16; ++i) {
    const auto bits = static_cast<std::uint16_t>(i);
    if ((bits & 0x7C00) != 0x7C00) continue;
    CAPTURE(bits);
    const float value = f16_to_f32(bits);
    const bool nan = (bits & 0x3FF) != 0;
    REQUIRE(std::isnan(value) == nan);
    REQUIRE(std::signbit(value) == ((bits & 0x8000) != 0));
    const std::uint16_t back = f32_to_f16(value);
    REQUIRE((back & 0xFC00) == (bits & 0xFC00));
    REQUIRE(((back & 0x3FF) != 0) == nan);
  }
}

TEST_CASE("f16: between any two neighbours, rounding goes to the nearest, ties to even") {
  for (std::uint32_t i = 0; i < 0x7BFF; ++i) {
    const auto low = static_cast<std::uint16_t>(i);
    const auto high = static_cast<std::uint16_t>(i + 1);
    const double a = f16_by_definition(low);
    const double b = f16_by_definition(high);
    CAPTURE(low);
    const auto middle = static_cast<float>((a + b) / 2);
    for (const float value : {std::nextafter(middle, 0.0F), middle, std::nextafter(middle, 1e9F)}) {
      const std::uint16_t want = nearest_of(value, low, high, a, b);
      REQUIRE(f32_to_f16(value) == want);
      REQUIRE(f32_to_f16(-value) == (want | 0x8000));
    }
  }
}

TEST_CASE("f16: from 65520 on the result is infinite, below 2^-25 it is zero") {
  CHECK(f32_to_f16(65504.0F) == 0x7BFF);
  CHECK(f32_to_f16(std::nextafter(65520.0F, 0.0F)) == 0x7BFF);
  CHECK(f32_to_f16(65520.0F) == 0x7C00);
  CHECK(f32_to_f16(-std::numeric_limits<float>::max()) == 0xFC00);
  CHECK(f32_to_f16(0x1p-25F) == 0);
  CHECK(f32_to_f16(std::nextafter(0x1p-25F, 1.0F)) == 1);
  CHECK(f32_to_f16(-std::numeric_limits<float>::denorm_min()) == 0x8000);
}

TEST_CASE("bf16: every pattern comes back, NaN as NaN") {
  for (std::uint32_t i = 0; i < kAll16; ++i) {
    const auto bits = static_cast<std::uint16_t>(i);
    CAPTURE(bits);
    const float value = bf16_to_f32(bits);
    REQUIRE(std::bit_cast<std::uint32_t>(value) == i << 16);
    const std::uint16_t back = f32_to_bf16(value);
    if (std::isnan(value)) {
      REQUIRE(std::isnan(bf16_to_f32(back)));
      REQUIRE((back & 0x8000) == (bits & 0x8000));
    } else {
      REQUIRE(back == bits);
    }
  }
}

TEST_CASE("bf16: ties go to even, the rest to the nearest, overflow to infinity") {
  for (std::uint32_t i = 0; i < 0x7F80; ++i) {
    CAPTURE(i);
    const auto at = [i](std::uint32_t low) { return std::bit_cast<float>((i << 16) | low); };
    REQUIRE(f32_to_bf16(at(0x7FFF)) == i);
    REQUIRE(f32_to_bf16(at(0x8000)) == i + (i & 1));
    REQUIRE(f32_to_bf16(at(0x8001)) == i + 1);
  }
  CHECK(f32_to_bf16(std::numeric_limits<float>::max()) == 0x7F80);
}

TEST_CASE("bf16: a NaN whose high half looks infinite stays NaN") {
  CHECK(std::isnan(bf16_to_f32(f32_to_bf16(std::bit_cast<float>(0x7F800001U)))));
  CHECK(std::isnan(bf16_to_f32(f32_to_bf16(std::bit_cast<float>(0xFFFFFFFFU)))));
}

TEST_CASE("load: reads at any alignment, little endian") {
  const std::array<std::byte, 9> bytes{std::byte{0xEE}, std::byte{1}, std::byte{2},
                                       std::byte{3},    std::byte{4}, std::byte{5},
                                       std::byte{6},    std::byte{7}, std::byte{8}};
  CHECK(load<std::uint16_t>(bytes.data() + 1) == 0x0201);
  CHECK(load<std::uint32_t>(bytes.data() + 1) == 0x04030201U);
  CHECK(load<std::uint64_t>(bytes.data() + 1) == 0x0807060504030201ULL);
  CHECK(same_bits(load<float>(bytes.data() + 1), std::bit_cast<float>(0x04030201U)));
}
