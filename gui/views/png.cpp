#include "gui/views/png.h"

#include <stb/stb_image.h>
#include <stb/stb_image_write.h>

#include <cstring>

namespace ckpt::gui {

static_assert(sizeof(Rgba) == 4, "pixels are handed over as bytes");

std::string encode_png(const Picture& picture) {
  std::string out;
  const auto append = [](void* context, void* data, int size) {
    static_cast<std::string*>(context)->append(static_cast<const char*>(data),
                                               static_cast<std::size_t>(size));
  };
  stbi_write_png_to_func(append, &out, picture.size.width, picture.size.height, 4,
                         picture.pixels.data(), 4 * picture.size.width);
  return out;
}

Result<Picture> decode_png(const std::string& bytes) {
  Picture picture;
  std::vector<unsigned char> copy(bytes.begin(), bytes.end());
  int channels = 0;
  unsigned char* pixels =
      stbi_load_from_memory(copy.data(), static_cast<int>(copy.size()), &picture.size.width,
                            &picture.size.height, &channels, 4);
  if (pixels == nullptr) return fail(ErrorKind::format, "no PNG");
  picture.pixels.resize(static_cast<std::size_t>(picture.size.width) *
                        static_cast<std::size_t>(picture.size.height));
  std::memcpy(picture.pixels.data(), pixels, 4 * picture.pixels.size());
  stbi_image_free(pixels);
  return picture;
}

}  // namespace ckpt::gui
