#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace ckpt::images {

/// 8-bit RGB, row by row from the top left.
struct Picture {
  std::int64_t width = 0;
  std::int64_t height = 0;
  std::vector<std::uint8_t> rgb;  ///< [height, width, 3]

  [[nodiscard]] const std::uint8_t* at(std::int64_t x, std::int64_t y) const {
    return rgb.data() + 3 * (y * width + x);
  }

  [[nodiscard]] std::uint8_t* at(std::int64_t x, std::int64_t y) {
    return rgb.data() + 3 * (y * width + x);
  }
};

}  // namespace ckpt::images
