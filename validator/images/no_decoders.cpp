#include "validator/images/decoders.h"

namespace ckpt::images {

namespace {

tl::unexpected<Error> missing() {
  return fail(ErrorKind::unsupported,
              "this program was built without libpng and libjpeg; install libpng-dev and "
              "libjpeg62-turbo-dev and build again");
}

}  // namespace

Result<Decoded> decode_png(std::span<const std::byte>) {
  return missing();
}

Result<Decoded> decode_jpeg(std::span<const std::byte>) {
  return missing();
}

}  // namespace ckpt::images
