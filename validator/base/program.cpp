#include "validator/base/program.h"

#include <unistd.h>

#include <array>
#include <climits>

namespace ckpt {
namespace {

/// Folder of the running program, with a slash.
std::string program_folder() {
  std::array<char, PATH_MAX> path{};
  const ssize_t n = ::readlink("/proc/self/exe", path.data(), path.size());
  if (n <= 0) return {};
  const std::string whole(path.data(), static_cast<std::size_t>(n));
  return whole.substr(0, whole.rfind('/') + 1);
}

}  // namespace

std::string beside_program(std::string_view library) {
  const std::string folder = program_folder();
  if (folder.empty()) return {};
  for (const char* place : {"", "../lib/ckpt-check/"}) {
    std::string path = (folder + place).append(library);
    if (::access(path.c_str(), R_OK) == 0) return path;
  }
  return {};
}

}  // namespace ckpt
