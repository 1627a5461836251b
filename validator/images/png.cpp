#include <png.h>

#include <algorithm>
#include <csetjmp>
#include <cstring>
#include <string>

#include "validator/base/limits.h"
#include "validator/base/text.h"
#include "validator/images/decoders.h"

namespace ckpt::images {

namespace {

constexpr png_alloc_size_t kChunkBytes = 8U << 20;  // an ancillary chunk, inflated
constexpr png_uint_32 kChunks = 1000;               // ancillary chunks kept

/// State of one reading. libpng leaves by longjmp: nothing with a destructor may live in the frame
/// that calls it.
struct Reading {
  std::span<const std::byte> left;
  std::string message;
  png_structp png = nullptr;
  png_infop info = nullptr;
  std::vector<png_bytep> rows;
  Decoded out;
  Error error;

  ~Reading() { png_destroy_read_struct(&png, &info, nullptr); }
};

void take(png_structp png, png_bytep to, std::size_t count) {
  auto& reading = *static_cast<Reading*>(png_get_io_ptr(png));
  if (count > reading.left.size()) png_error(png, "the file is cut short");
  std::memcpy(to, reading.left.data(), count);
  reading.left = reading.left.subspan(count);
}

[[noreturn]] void stop(png_structp png, png_const_charp message) {
  static_cast<Reading*>(png_get_error_ptr(png))->message = message;
  png_longjmp(png, 1);
}

void ignore(png_structp, png_const_charp) {}

// The header, and what every picture is brought to: 8 bits, three channels.
bool begin(Reading& r) {
  if (setjmp(png_jmpbuf(r.png)) != 0) return false;  // NOLINT: libpng's way
  png_read_info(r.png, r.info);
  const auto color = png_get_color_type(r.png, r.info);
  if (png_get_bit_depth(r.png, r.info) > 8) {
    r.error = Error{ErrorKind::unsupported, "16 bits a channel"};
    return false;
  }
  if (color == PNG_COLOR_TYPE_PALETTE) png_set_palette_to_rgb(r.png);
  if (color == PNG_COLOR_TYPE_GRAY || color == PNG_COLOR_TYPE_GRAY_ALPHA) {
    png_set_expand_gray_1_2_4_to_8(r.png);
    png_set_gray_to_rgb(r.png);
  }
  png_set_strip_alpha(r.png);
  png_set_interlace_handling(r.png);
  png_read_update_info(r.png, r.info);
  return true;
}

bool read_rows(Reading& r) {
  if (setjmp(png_jmpbuf(r.png)) != 0) return false;  // NOLINT: libpng's way
  png_read_image(r.png, r.rows.data());
  png_read_end(r.png, r.info);
  return true;
}

bool make_room(Reading& r) {
  auto picture =
      make_picture(png_get_image_width(r.png, r.info), png_get_image_height(r.png, r.info));
  if (!picture) {
    r.error = picture.error();
    return false;
  }
  r.out.picture = *std::move(picture);
  const auto row = static_cast<std::size_t>(3 * r.out.picture.width);
  if (png_get_rowbytes(r.png, r.info) != row) {
    r.error = Error{ErrorKind::internal, "rows of another size"};
    return false;
  }
  for (std::int64_t y = 0; y < r.out.picture.height; ++y) {
    r.rows.push_back(r.out.picture.at(0, y));
  }
  return true;
}

void keep_exif(Reading& r) {
  png_uint_32 count = 0;
  png_bytep block = nullptr;
  if (png_get_eXIf_1(r.png, r.info, &count, &block) == 0 || block == nullptr) return;
  const auto bytes = std::as_bytes(std::span(block, count));
  r.out.exif.assign(bytes.begin(), bytes.end());
}

}  // namespace

Result<Decoded> decode_png(std::span<const std::byte> bytes) {
  Reading r;
  r.left = bytes;
  r.png = png_create_read_struct(PNG_LIBPNG_VER_STRING, &r, stop, ignore);
  if (r.png != nullptr) r.info = png_create_info_struct(r.png);
  if (r.info == nullptr) return fail(ErrorKind::memory, "no memory");
  png_set_read_fn(r.png, &r, take);
  constexpr auto kSide = static_cast<png_uint_32>(limits::kImagePixels);
  png_set_user_limits(r.png, kSide, kSide);
  png_set_chunk_malloc_max(r.png, kChunkBytes);
  png_set_chunk_cache_max(r.png, kChunks);
  if (begin(r) && make_room(r) && read_rows(r)) {
    keep_exif(r);
    return std::move(r.out);
  }
  if (!r.error.message.empty()) return tl::make_unexpected(std::move(r.error));
  return fail(ErrorKind::format, "damaged: " + shown(r.message, 200));
}

}  // namespace ckpt::images
