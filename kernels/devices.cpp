#include "kernels/devices.h"

#include <dlfcn.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <climits>

#include "kernels/cuda/plugin.h"

namespace ckpt::kernels {
namespace {

/// Folder of the running program, with a slash. No other place is tried: a library path that others
/// can set must not decide which code runs here.
std::string program_folder() {
  std::array<char, PATH_MAX> path{};
  const ssize_t n = ::readlink("/proc/self/exe", path.data(), path.size());
  if (n <= 0) return {};
  const std::string whole(path.data(), static_cast<std::size_t>(n));
  return whole.substr(0, whole.rfind('/') + 1);
}

}  // namespace

std::string cuda_plugin() {
  const std::string folder = program_folder();
  if (folder.empty()) return {};
  for (const char* place : {"", "../lib/ckpt-check/"}) {
    std::string path = folder + place + "libckpt_cuda.so";
    if (::access(path.c_str(), R_OK) == 0) return path;
  }
  return {};
}

std::vector<Device> cuda_devices() {
  const std::string path = cuda_plugin();
  if (path.empty()) return {};
  // Never closed: the CUDA runtime does not survive being unloaded.
  void* plugin = ::dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (plugin == nullptr) return {};
  using Query = int (*)(CkptCudaDevice*, int);
  const auto query = reinterpret_cast<Query>(::dlsym(plugin, "ckpt_cuda_devices"));
  if (query == nullptr) return {};
  std::array<CkptCudaDevice, 16> found{};
  const int n = query(found.data(), static_cast<int>(found.size()));
  std::vector<Device> out;
  for (int i = 0; i < std::min(n, static_cast<int>(found.size())); ++i) {
    const CkptCudaDevice& d = found[static_cast<std::size_t>(i)];
    out.push_back({d.name, d.memory_bytes, d.capability_major, d.capability_minor});
  }
  return out;
}

}  // namespace ckpt::kernels
