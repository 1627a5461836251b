#include "validator/container/sniff.h"

#include <algorithm>
#include <array>
#include <string_view>

namespace ckpt::container {
namespace {

using std::string_view_literals::operator""sv;

struct Magic {
  std::string_view bytes;
  std::string_view what;
};

constexpr std::array kMagics{
    Magic{"version https://git-lfs"sv,
          "a Git LFS pointer, not weights: run `git lfs pull` or download it again"sv},
    Magic{"<!DOCTYPE"sv, "an HTML page, not weights"sv},
    Magic{"<html"sv, "an HTML page, not weights"sv},
    Magic{"{\""sv, "a JSON text, not weights"sv},
    Magic{"PK\x03\x04"sv, "a zip archive (torch .pt files look like this)"sv},
    Magic{"GGUF"sv, "a GGUF file"sv},
    Magic{"\x1f\x8b"sv, "a gzip stream"sv},
    Magic{"\x93NUMPY"sv, "a NumPy array"sv},
    Magic{"\x7f"
          "ELF"sv,
          "a native program or library"sv},
    Magic{"\x80\x02"sv, "a Python pickle"sv},
    Magic{"\x80\x04"sv, "a Python pickle"sv},
    Magic{"\x80\x05"sv, "a Python pickle"sv},
};

}  // namespace

std::string sniff(const File& file) {
  std::string head(std::min<std::uint64_t>(file.size(), 512), '\0');
  if (!file.read(0, std::as_writable_bytes(std::span(head)))) return {};
  for (const Magic& magic : kMagics) {
    if (head.starts_with(magic.bytes)) return std::string(magic.what);
  }
  if (!head.empty() && head.find_first_not_of('\0') == std::string::npos) return "all zeros";
  return {};
}

}  // namespace ckpt::container
