#pragma once

#include <cstdint>
#include <string>
#include <vector>

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

/// CUDA devices as the plugin sees them. Empty without the plugin, a driver or a device: each of
/// the three is an ordinary machine.
[[nodiscard]] std::vector<Device> cuda_devices();

}  // namespace ckpt::kernels
