#include <utility>

#include "validator/images/decoders.h"

namespace ckpt::images {

namespace {

constexpr std::uint64_t kOrientationTag = 0x0112;
constexpr std::uint64_t kShortType = 3;

/// Numbers of a TIFF block in its own byte order; 0 beyond its end.
class Tiff {
 public:
  explicit Tiff(std::span<const std::byte> bytes)
      : bytes_(bytes), big_(!bytes.empty() && bytes[0] == std::byte{'M'}) {}

  [[nodiscard]] std::uint64_t number(std::uint64_t at, unsigned width) const {
    if (at > bytes_.size() || bytes_.size() - at < width) return 0;
    std::uint64_t out = 0;
    for (unsigned i = 0; i < width; ++i) {
      const unsigned shift = 8 * (big_ ? width - 1 - i : i);
      out |= std::to_integer<std::uint64_t>(bytes_[at + i]) << shift;
    }
    return out;
  }

 private:
  std::span<const std::byte> bytes_;
  bool big_;
};

}  // namespace

int orientation_of(std::span<const std::byte> exif) {
  const Tiff tiff(exif);
  if (tiff.number(2, 2) != 42) return 1;
  const std::uint64_t directory = tiff.number(4, 4);
  const std::uint64_t entries = tiff.number(directory, 2);
  for (std::uint64_t i = 0; i < entries; ++i) {
    const std::uint64_t entry = directory + 2 + 12 * i;
    if (tiff.number(entry, 2) != kOrientationTag) continue;
    const std::uint64_t value = tiff.number(entry + 8, 2);
    const bool known = tiff.number(entry + 2, 2) == kShortType && value >= 1 && value <= 8;
    return known ? static_cast<int>(value) : 1;
  }
  return 1;
}

// From 5 on rows and columns change places; the rest is mirroring of either axis.
Picture turned(Picture picture, int orientation) {
  if (orientation <= 1 || orientation > 8) return picture;
  const bool swapped = orientation >= 5;
  const bool mirror_x =
      orientation == 2 || orientation == 3 || orientation == 7 || orientation == 8;
  const bool mirror_y =
      orientation == 3 || orientation == 4 || orientation == 6 || orientation == 7;
  Picture out = picture;
  if (swapped) std::swap(out.width, out.height);
  for (std::int64_t y = 0; y < out.height; ++y) {
    for (std::int64_t x = 0; x < out.width; ++x) {
      std::int64_t from_x = swapped ? y : x;
      std::int64_t from_y = swapped ? x : y;
      if (mirror_x) from_x = picture.width - 1 - from_x;
      if (mirror_y) from_y = picture.height - 1 - from_y;
      const std::uint8_t* from = picture.at(from_x, from_y);
      std::uint8_t* to = out.at(x, y);
      for (int c = 0; c < 3; ++c) to[c] = from[c];
    }
  }
  return out;
}

}  // namespace ckpt::images
