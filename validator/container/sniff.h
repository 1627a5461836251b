#pragma once

#include <string>

#include "validator/base/file.h"

namespace ckpt::container {

/// What an invalid container seems to be instead, from its first 512 bytes: a Git LFS pointer,
/// HTML, JSON, pickle, zip, GGUF, gzip, npy, ELF, zeros. Empty when nothing is recognised. Ask only
/// after the container was found invalid: the length bytes of a valid one can read as any magic.
[[nodiscard]] std::string sniff(const File& file);

}  // namespace ckpt::container
