#include "reports/png.h"

#include <algorithm>
#include <bit>
#include <string_view>

namespace ckpt::reports {
namespace {

std::string big_endian(std::uint32_t v) {
  std::string out;
  for (int shift = 24; shift >= 0; shift -= 8) out += static_cast<char>(v >> shift & 0xFFU);
  return out;
}

std::uint32_t crc32(std::string_view bytes) {
  std::uint32_t crc = 0xFFFFFFFFU;
  for (const char c : bytes) {
    crc ^= static_cast<unsigned char>(c);
    for (int i = 0; i < 8; ++i) crc = (crc >> 1) ^ ((crc & 1U) != 0 ? 0xEDB88320U : 0U);
  }
  return ~crc;
}

std::string chunk(std::string_view type, std::string_view data) {
  const std::string body = std::string(type) + std::string(data);
  return big_endian(static_cast<std::uint32_t>(data.size())) + body + big_endian(crc32(body));
}

std::uint32_t adler32(std::string_view bytes) {
  constexpr std::uint32_t kModulus = 65521;
  std::uint32_t a = 1;
  std::uint32_t b = 0;
  for (const char c : bytes) {
    a = (a + static_cast<unsigned char>(c)) % kModulus;
    b = (b + a) % kModulus;
  }
  return b << 16 | a;
}

/// A zlib stream (RFC 1950) of stored blocks.
std::string stored(std::string_view bytes) {
  constexpr std::size_t kBlock = 65535;
  const std::uint32_t check = adler32(bytes);
  std::string out = "\x78\x01";
  do {
    const std::size_t n = std::min(kBlock, bytes.size());
    out += n == bytes.size() ? '\x01' : '\0';
    const auto length = static_cast<std::uint16_t>(n);
    for (const std::uint16_t half : {length, static_cast<std::uint16_t>(~length)}) {
      out += static_cast<char>(half & 0xFFU);
      out += static_cast<char>(half >> 8);
    }
    out += bytes.substr(0, n);
    bytes.remove_prefix(n);
  } while (!bytes.empty());
  return out + big_endian(check);
}

}  // namespace

std::string png(std::uint32_t width, std::uint32_t height, std::span<const std::uint8_t> pixels,
                std::span<const Color> palette) {
  std::string rows;
  for (std::uint32_t y = 0; y < height; ++y) {
    rows += '\0';  // filter: none
    for (const std::uint8_t p : pixels.subspan(std::size_t{y} * width, width)) {
      rows += static_cast<char>(p);
    }
  }
  std::string colors;
  for (const Color& c : palette) {
    for (const std::uint8_t part : c) colors += static_cast<char>(part);
  }
  const std::string header =
      big_endian(width) + big_endian(height) + std::string("\x08\x03\0\0\0", 5);
  return "\x89PNG\r\n\x1a\n" + chunk("IHDR", header) + chunk("PLTE", colors) +
         chunk("tRNS", std::string(1, '\0')) + chunk("IDAT", stored(rows)) + chunk("IEND", "");
}

std::uint16_t float16_bits(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  const auto sign = static_cast<std::uint16_t>(bits >> 16 & 0x8000U);
  const std::uint32_t rest = bits & 0x7FFFFFFFU;
  const auto with_sign = [sign](std::uint32_t v) { return static_cast<std::uint16_t>(sign | v); };
  if (rest > 0x7F800000U) return with_sign(0x7E00U);
  if (rest >= 0x477FF000U) return with_sign(0x7C00U);  // rounds beyond 65504
  const bool subnormal = rest < 0x38800000U;
  if (rest < 0x33000000U) return with_sign(0);
  const std::uint32_t exponent = rest >> 23;
  const std::uint32_t mantissa = (rest & 0x7FFFFFU) | 0x800000U;
  // A subnormal result has a fixed exponent: its mantissa is shifted further.
  const std::uint32_t shift = subnormal ? 126 - exponent : 13;
  const std::uint32_t kept =
      subnormal ? mantissa >> shift : ((exponent - 112) << 10 | (mantissa >> 13 & 0x3FFU));
  const std::uint32_t lost = mantissa & ((1U << shift) - 1);
  const std::uint32_t half = 1U << (shift - 1);
  const bool up = lost > half || (lost == half && (kept & 1U) != 0);
  return with_sign(kept + (up ? 1U : 0U));
}

}  // namespace ckpt::reports
