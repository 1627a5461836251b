#pragma once

#include <cstddef>
#include <span>

#include "validator/base/result.h"
#include "validator/images/picture.h"

namespace ckpt::images {

/// Reads a PNG or JPEG file and turns it as its EXIF orientation says. Grey becomes RGB, an alpha
/// channel is dropped, as Pillow's convert("RGB") does. The bytes may be anything: nothing is
/// allocated for a size beyond limits::kImagePixels, and what is cut short or damaged is an error.
/// Errors: format (neither, damaged), limit (too large), unsupported (16 bits a channel, CMYK,
/// built without the libraries), memory.
[[nodiscard]] Result<Picture> decode_image(std::span<const std::byte> bytes);

}  // namespace ckpt::images
