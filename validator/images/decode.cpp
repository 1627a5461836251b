#include "validator/images/decode.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <new>

#include "validator/base/limits.h"
#include "validator/images/decoders.h"

namespace ckpt::images {

namespace {

template <std::size_t N>
bool begins(std::span<const std::byte> bytes, const std::array<unsigned char, N>& magic) {
  return bytes.size() >= N &&
         std::equal(magic.begin(), magic.end(), bytes.begin(),
                    [](unsigned char a, std::byte b) { return std::byte{a} == b; });
}

constexpr std::array<unsigned char, 8> kPng{0x89, 'P', 'N', 'G', '\r', '\n', 0x1A, '\n'};
constexpr std::array<unsigned char, 3> kJpeg{0xFF, 0xD8, 0xFF};

}  // namespace

Result<Picture> make_picture(std::uint64_t width, std::uint64_t height) {
  if (width == 0 || height == 0) return fail(ErrorKind::format, "a picture without pixels");
  if (width > limits::kImagePixels || height > limits::kImagePixels / width) {
    return fail(ErrorKind::limit, fmt::format("{} x {} pixels are more than {}", width, height,
                                              limits::kImagePixels));
  }
  Picture picture{static_cast<std::int64_t>(width), static_cast<std::int64_t>(height), {}};
  try {
    picture.rgb.resize(3 * width * height);
  } catch (const std::bad_alloc&) {
    return fail(ErrorKind::memory, fmt::format("no memory for {} x {} pixels", width, height));
  }
  return picture;
}

Result<Picture> decode_image(std::span<const std::byte> bytes) {
  if (bytes.size() > limits::kImageBytes) {
    return fail(ErrorKind::limit,
                fmt::format("{} bytes are more than {}", bytes.size(), limits::kImageBytes));
  }
  Decoded decoded;
  if (begins(bytes, kPng)) {
    CKPT_TRY(decoded, decode_png(bytes), "PNG");
  } else if (begins(bytes, kJpeg)) {
    CKPT_TRY(decoded, decode_jpeg(bytes), "JPEG");
  } else {
    return fail(ErrorKind::format, "neither PNG nor JPEG");
  }
  return turned(std::move(decoded.picture), orientation_of(decoded.exif));
}

}  // namespace ckpt::images
