#include "kernels/devices.h"

#include <dlfcn.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "kernels/cuda/plugin.h"
#include "validator/base/program.h"

namespace ckpt::kernels {
namespace {

// Never closed: the CUDA runtime does not survive being unloaded.
void* open_plugin(const std::string& path) {
  return ::dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
}

}  // namespace

std::string cuda_plugin() {
  return beside_program("libckpt_cuda.so");
}

Result<Backend> parse_backend(std::string_view text) {
  if (text == "auto" || text == "cpu") return Backend{};
  if (text == "cuda") return Backend{{0}};
  constexpr std::string_view kPrefix = "cuda:";
  Backend backend;
  bool fine = text.starts_with(kPrefix);
  text.remove_prefix(fine ? kPrefix.size() : 0);
  while (fine) {
    int device = -1;
    const char* end = text.data() + text.size();
    const auto [at, error] = std::from_chars(text.data(), end, device);
    fine = error == std::errc{} && device >= 0 && std::ranges::count(backend.devices, device) == 0;
    backend.devices.push_back(device);
    if (at == end) break;
    fine = fine && *at == ',';
    text.remove_prefix(static_cast<std::size_t>(at - text.data()) + 1);
  }
  if (fine) return backend;
  return fail(ErrorKind::usage, "a backend is auto, cpu, cuda, cuda:N or cuda:N,M,...");
}

Result<std::vector<std::unique_ptr<Ops>>> open_backend(const Backend& backend, ThreadPool& pool,
                                                       std::uint64_t memory) {
  std::vector<std::unique_ptr<Ops>> out;
  if (!backend.cuda()) {
    CKPT_TRY(auto ops, make_cpu_ops(pool), "cpu");
    out.push_back(std::move(ops));
    return out;
  }
  const std::string path = cuda_plugin();
  if (path.empty()) {
    return fail(ErrorKind::device,
                "there is no CUDA plugin (libckpt_cuda.so) beside the program or in "
                "../lib/ckpt-check: build where the CUDA toolkit is, or use --backend cpu");
  }
  for (const int device : backend.devices) {
    auto ops = open_cuda(path, device, memory);
    if (!ops) return tl::make_unexpected(std::move(ops).error());
    out.push_back(*std::move(ops));
  }
  return out;
}

Result<std::unique_ptr<Ops>> open_cuda(const std::string& path, int device, std::uint64_t memory) {
  void* plugin = open_plugin(path);
  if (plugin == nullptr) return fail(ErrorKind::device, "the CUDA plugin cannot be opened");
  const auto* interface = static_cast<const char* const*>(::dlsym(plugin, "ckpt_cuda_interface"));
  const auto open = reinterpret_cast<CkptCudaOpen>(::dlsym(plugin, "ckpt_cuda_open"));
  if (interface == nullptr || open == nullptr ||
      std::string_view(*interface) != CKPT_CUDA_INTERFACE) {
    return fail(ErrorKind::device, "the CUDA plugin is of another version of the program");
  }
  Ops* ops = nullptr;
  std::array<char, 512> why{};
  if (open(device, memory, &ops, why.data(), static_cast<int>(why.size())) != 0) {
    return fail(ErrorKind::device, std::string(why.data()));
  }
  return std::unique_ptr<Ops>(ops);
}

std::vector<Device> cuda_devices() {
  const std::string path = cuda_plugin();
  if (path.empty()) return {};
  void* plugin = open_plugin(path);
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
