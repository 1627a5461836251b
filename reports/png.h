#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>

namespace ckpt::reports {

using Color = std::array<std::uint8_t, 3>;

/// An image of one byte a pixel into a palette, as PNG (ISO/IEC 15948) without compression: small
/// enough here, and it needs no library. Index 0 is transparent. `pixels` [height, width];
/// `palette` at most 256 colours.
[[nodiscard]] std::string png(std::uint32_t width, std::uint32_t height,
                              std::span<const std::uint8_t> pixels, std::span<const Color> palette);

/// The bits of `value` rounded to IEEE binary16, ties to even.
[[nodiscard]] std::uint16_t float16_bits(float value);

}  // namespace ckpt::reports
