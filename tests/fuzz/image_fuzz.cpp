// Pictures: any bytes decode to a picture of the size it says, or are an error.

#include "tests/fuzz/input.h"
#include "validator/images/decode.h"

using namespace ckpt;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto picture = images::decode_image(std::as_bytes(std::span(data, size)));
  if (!picture) {
    fuzz::must(!picture.error().message.empty());
    return 0;
  }
  fuzz::must(picture->width > 0 && picture->height > 0);
  fuzz::must(picture->rgb.size() == static_cast<std::size_t>(3 * picture->width * picture->height));
  return 0;
}
