#pragma once
// The two formats, each behind its library. Inside this folder only.

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "validator/base/result.h"
#include "validator/images/picture.h"

namespace ckpt::images {

/// A picture as stored and its EXIF block (a TIFF header and what follows), empty without one.
struct Decoded {
  Picture picture;
  std::vector<std::byte> exif;
};

/// Errors: as decode_image.
[[nodiscard]] Result<Decoded> decode_png(std::span<const std::byte> bytes);
[[nodiscard]] Result<Decoded> decode_jpeg(std::span<const std::byte> bytes);

/// Makes room for a picture of this size. Errors: limit, memory.
[[nodiscard]] Result<Picture> make_picture(std::uint64_t width, std::uint64_t height);

/// The orientation 1 ... 8 of an EXIF block; 1 when it has none or is damaged.
[[nodiscard]] int orientation_of(std::span<const std::byte> exif);

/// A picture upright, given its orientation.
[[nodiscard]] Picture turned(Picture picture, int orientation);

}  // namespace ckpt::images
