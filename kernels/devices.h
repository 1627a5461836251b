#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "kernels/ops.h"

namespace ckpt::kernels {

/// An accelerator that is present, whether or not a backend uses it.
struct Device {
  std::string name;
  std::uint64_t memory_bytes = 0;
  int capability_major = 0;
  int capability_minor = 0;
};

/// The CUDA plugin (`libckpt_cuda.so`): beside the program, else in `../lib/ckpt-check` seen from
/// there, where an installation puts it. Empty when it is in neither.
[[nodiscard]] std::string cuda_plugin();

/// What computes: the processor, or the CUDA devices of these numbers.
struct Backend {
  std::vector<int> devices;  ///< empty: the processor

  [[nodiscard]] bool cuda() const { return !devices.empty(); }
};

/// `cpu`, `cuda`, `cuda:1`, `cuda:0,1`. `auto` is the processor, as long as the CUDA backend's
/// figures are unmeasured. Errors: usage.
[[nodiscard]] Result<Backend> parse_backend(std::string_view text);

/// The ops of each of the backend's devices, over `pool` on the processor; at most `memory` bytes
/// of a device, 0 for nearly all that is free. Errors: device (no plugin, driver or device: says
/// which), unsupported.
[[nodiscard]] Result<std::vector<std::unique_ptr<Ops>>> open_backend(const Backend& backend,
                                                                     ThreadPool& pool,
                                                                     std::uint64_t memory);

/// The CUDA ops of the plugin at `plugin`. Errors: as open_backend().
[[nodiscard]] Result<std::unique_ptr<Ops>> open_cuda(const std::string& plugin, int device,
                                                     std::uint64_t memory);

/// CUDA devices as the plugin sees them. Empty without the plugin, a driver or a device: each of
/// the three is an ordinary machine.
[[nodiscard]] std::vector<Device> cuda_devices();

}  // namespace ckpt::kernels
