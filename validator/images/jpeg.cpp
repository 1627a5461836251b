#include <fmt/format.h>

#include <csetjmp>
#include <cstdio>
#include <cstring>
#include <string>

#include <jpeglib.h>  // after <cstdio>, which it needs

#include "validator/base/text.h"
#include "validator/images/decoders.h"

namespace ckpt::images {

namespace {

constexpr int kScans = 200;  // a progressive file of more is a trap for time
constexpr std::uint64_t kExifMarkerBytes = 0xFFFF;
constexpr long kMemory = 512L << 20;  // coefficients of a progressive picture

/// State of one reading. libjpeg leaves by longjmp: nothing with a destructor may live in the frame
/// that calls it.
struct Reading {
  jpeg_decompress_struct jpeg{};
  jpeg_error_mgr errors{};
  jpeg_progress_mgr progress{};
  std::jmp_buf leave{};
  char message[JMSG_LENGTH_MAX] = {};
  Decoded out;
  Error error;

  ~Reading() { jpeg_destroy_decompress(&jpeg); }
};

Reading& reading_of(j_common_ptr jpeg) {
  return *static_cast<Reading*>(jpeg->client_data);
}

[[noreturn]] void stop(j_common_ptr jpeg) {
  Reading& r = reading_of(jpeg);
  jpeg->err->format_message(jpeg, r.message);
  std::longjmp(r.leave, 1);  // NOLINT: libjpeg's way
}

// A negative level is damage over which the library would paint.
void on_message(j_common_ptr jpeg, int level) {
  if (level < 0) stop(jpeg);
}

void on_progress(j_common_ptr jpeg) {
  if (reinterpret_cast<j_decompress_ptr>(jpeg)->input_scan_number > kScans) {
    std::snprintf(reading_of(jpeg).message, JMSG_LENGTH_MAX, "more than %d scans", kScans);
    std::longjmp(reading_of(jpeg).leave, 1);  // NOLINT: libjpeg's way
  }
}

bool begin(Reading& r, std::span<const std::byte> bytes) {
  if (setjmp(r.leave) != 0) return false;  // NOLINT: libjpeg's way
  jpeg_create_decompress(&r.jpeg);
  r.jpeg.client_data = &r;
  r.jpeg.progress = &r.progress;
  r.jpeg.mem->max_memory_to_use = kMemory;
  jpeg_mem_src(&r.jpeg, reinterpret_cast<const unsigned char*>(bytes.data()),
               static_cast<unsigned long>(bytes.size()));
  jpeg_save_markers(&r.jpeg, JPEG_APP0 + 1, kExifMarkerBytes);
  jpeg_read_header(&r.jpeg, TRUE);
  if (r.jpeg.num_components != 1 && r.jpeg.num_components != 3) {
    r.error = Error{ErrorKind::unsupported, "neither grey nor RGB"};
    return false;
  }
  r.jpeg.out_color_space = JCS_RGB;
  return true;
}

bool read_rows(Reading& r) {
  if (setjmp(r.leave) != 0) return false;  // NOLINT: libjpeg's way
  jpeg_start_decompress(&r.jpeg);
  while (r.jpeg.output_scanline < r.jpeg.output_height) {
    JSAMPROW row = r.out.picture.at(0, r.jpeg.output_scanline);
    jpeg_read_scanlines(&r.jpeg, &row, 1);
  }
  jpeg_finish_decompress(&r.jpeg);
  return true;
}

bool make_room(Reading& r) {
  auto picture = make_picture(r.jpeg.image_width, r.jpeg.image_height);
  if (!picture) {
    r.error = picture.error();
    return false;
  }
  r.out.picture = *std::move(picture);
  return true;
}

void keep_exif(Reading& r) {
  constexpr char kExif[] = "Exif\0";  // and the zero that ends the literal
  for (const jpeg_marker_struct* m = r.jpeg.marker_list; m != nullptr; m = m->next) {
    if (m->data_length < sizeof(kExif) || std::memcmp(m->data, kExif, sizeof(kExif)) != 0) continue;
    const auto block = std::as_bytes(std::span(m->data, m->data_length)).subspan(sizeof(kExif));
    r.out.exif.assign(block.begin(), block.end());
    return;
  }
}

}  // namespace

Result<Decoded> decode_jpeg(std::span<const std::byte> bytes) {
  Reading r;
  r.jpeg.err = jpeg_std_error(&r.errors);
  r.jpeg.client_data = &r;
  r.errors.error_exit = stop;
  r.errors.emit_message = on_message;
  r.progress.progress_monitor = on_progress;
  const bool begun = begin(r, bytes) && make_room(r);
  if (begun) keep_exif(r);  // the markers are gone when the last row has been read
  if (begun && read_rows(r)) return std::move(r.out);
  if (!r.error.message.empty()) return tl::make_unexpected(std::move(r.error));
  return fail(ErrorKind::format, "damaged: " + shown(std::string_view(r.message), 200));
}

}  // namespace ckpt::images
