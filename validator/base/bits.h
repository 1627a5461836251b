#pragma once
// Unaligned little-endian loads and the small float types. The only place with bit
// reinterpretation.

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

#ifdef __CUDACC__
/// Marks arithmetic that the CUDA kernels share with the processor's code.
#define CKPT_SHARED_ARITHMETIC __host__ __device__
#else
#define CKPT_SHARED_ARITHMETIC
#endif

namespace ckpt {

static_assert(std::endian::native == std::endian::little, "files are little endian");

/// Reads a trivially copyable value from possibly unaligned bytes.
template <class T>
[[nodiscard]] CKPT_SHARED_ARITHMETIC inline T load(const std::byte* p) {
  T value;
  std::memcpy(&value, p, sizeof(T));
  return value;
}

[[nodiscard]] CKPT_SHARED_ARITHMETIC inline float bf16_to_f32(std::uint16_t bits) {
  return std::bit_cast<float>(static_cast<std::uint32_t>(bits) << 16);
}

/// Round to nearest even; NaN stays NaN.
[[nodiscard]] CKPT_SHARED_ARITHMETIC inline std::uint16_t f32_to_bf16(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  if ((bits & 0x7FFFFFFFU) > 0x7F800000U) return static_cast<std::uint16_t>((bits >> 16) | 0x40U);
  return static_cast<std::uint16_t>((bits + 0x7FFFU + ((bits >> 16) & 1U)) >> 16);
}

[[nodiscard]] CKPT_SHARED_ARITHMETIC inline float f16_to_f32(std::uint16_t bits) {
  const std::uint32_t sign = static_cast<std::uint32_t>(bits & 0x8000U) << 16;
  const std::uint32_t exponent = (bits >> 10) & 0x1FU;
  const std::uint32_t mantissa = bits & 0x3FFU;
  if (exponent == 0x1F) return std::bit_cast<float>(sign | 0x7F800000U | (mantissa << 13));
  if (exponent == 0) {
    const float magnitude = static_cast<float>(mantissa) * 0x1p-24F;
    return sign != 0 ? -magnitude : magnitude;
  }
  return std::bit_cast<float>(sign | ((exponent + 112) << 23) | (mantissa << 13));
}

/// Round to nearest even; overflows to infinity.
[[nodiscard]] CKPT_SHARED_ARITHMETIC inline std::uint16_t f32_to_f16(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  const auto sign = static_cast<std::uint16_t>((bits >> 16) & 0x8000U);
  const std::uint32_t magnitude = bits & 0x7FFFFFFFU;
  if (magnitude > 0x7F800000U) return static_cast<std::uint16_t>(sign | 0x7E00U);
  if (magnitude >= 0x477FF000U) return static_cast<std::uint16_t>(sign | 0x7C00U);
  if (magnitude < 0x38800000U) {  // subnormal: let the adder round at 2^-24
    const float sum = std::bit_cast<float>(magnitude) + 0.5F;
    return static_cast<std::uint16_t>(sign | (std::bit_cast<std::uint32_t>(sum) - 0x3F000000U));
  }
  const std::uint32_t rounded = magnitude + 0xFFFU + ((magnitude >> 13) & 1U);
  return static_cast<std::uint16_t>(sign | ((rounded - 0x38000000U) >> 13));
}

/// OCP E4M3 ("fn"): bias 7, no infinity, S.1111.111 is NaN, largest 448.
[[nodiscard]] CKPT_SHARED_ARITHMETIC inline float e4m3_to_f32(std::uint8_t bits) {
  const std::uint32_t sign = static_cast<std::uint32_t>(bits & 0x80U) << 24;
  const std::uint32_t magnitude = bits & 0x7FU;
  if (magnitude == 0x7F) return std::bit_cast<float>(sign | 0x7FC00000U);
  const float value = std::bit_cast<float>(magnitude << 20) * 0x1p120F;
  return sign != 0 ? -value : value;
}

/// OCP E5M2: the upper byte of an F16.
[[nodiscard]] CKPT_SHARED_ARITHMETIC inline float e5m2_to_f32(std::uint8_t bits) {
  return f16_to_f32(static_cast<std::uint16_t>(bits << 8));
}

/// OCP E8M0: 2^(bits - 127), 255 is NaN.
[[nodiscard]] CKPT_SHARED_ARITHMETIC inline float e8m0_to_f32(std::uint8_t bits) {
  if (bits == 0xFF) return std::bit_cast<float>(0x7FC00000U);
  if (bits == 0) return 0x1p-127F;
  return std::bit_cast<float>(static_cast<std::uint32_t>(bits) << 23);
}

/// OCP E2M1 in the low four bits: bias 1, no specials.
[[nodiscard]] CKPT_SHARED_ARITHMETIC inline float e2m1_to_f32(std::uint8_t bits) {
  const float value = std::bit_cast<float>(static_cast<std::uint32_t>(bits & 7U) << 22) * 0x1p126F;
  return (bits & 8U) != 0 ? -value : value;
}

}  // namespace ckpt
