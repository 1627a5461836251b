#include "kernels/cuda/plugin.h"

#include <cuda_runtime.h>
#include <fmt/format.h>

#include <cstdio>

#include "kernels/cuda/cuda_ops.h"

namespace {

constexpr int kOldestMajor = 8;  // asynchronous copies to shared memory, BF16 matrix units

ckpt::Result<std::unique_ptr<ckpt::kernels::Ops>> open_device(int device, std::uint64_t memory) {
  using ckpt::ErrorKind;
  int count = 0;
  if (const cudaError_t error = cudaGetDeviceCount(&count); error != cudaSuccess || count == 0) {
    return ckpt::fail(
        ErrorKind::device,
        fmt::format("no CUDA device: {}",
                    error == cudaSuccess ? "the driver shows none" : cudaGetErrorString(error)));
  }
  if (device < 0 || device >= count) {
    return ckpt::fail(ErrorKind::device,
                      fmt::format("there is no CUDA device {}: 0 to {}", device, count - 1));
  }
  cudaDeviceProp properties{};
  CKPT_TRY_VOID(
      ckpt::kernels::cuda::check(cudaGetDeviceProperties(&properties, device), "properties"),
      "cuda");
  if (properties.major < kOldestMajor) {
    return ckpt::fail(
        ErrorKind::unsupported,
        fmt::format("{} has compute capability {}.{}, and the kernels need {}.0", properties.name,
                    properties.major, properties.minor, kOldestMajor));
  }
  return ckpt::kernels::cuda::CudaOps::open(
      device, memory,
      fmt::format("cuda sm_{}{} {}", properties.major, properties.minor, properties.name));
}

}  // namespace

extern "C" const char* const ckpt_cuda_interface = CKPT_CUDA_INTERFACE;

extern "C" int ckpt_cuda_devices(CkptCudaDevice* devices, int capacity) {
  int count = 0;
  if (cudaGetDeviceCount(&count) != cudaSuccess) return 0;
  for (int i = 0; i < count && i < capacity; ++i) {
    cudaDeviceProp properties{};
    if (cudaGetDeviceProperties(&properties, i) != cudaSuccess) return i;
    std::snprintf(devices[i].name, sizeof(devices[i].name), "%s", properties.name);
    devices[i].memory_bytes = properties.totalGlobalMem;
    devices[i].capability_major = properties.major;
    devices[i].capability_minor = properties.minor;
  }
  return count;
}

extern "C" int ckpt_cuda_open(int device, std::uint64_t memory, ckpt::kernels::Ops** ops, char* why,
                              int capacity) {
  auto made = open_device(device, memory);
  if (!made) {
    std::snprintf(why, static_cast<std::size_t>(capacity), "%s", made.error().message.c_str());
    return 1;
  }
  *ops = made->release();
  return 0;
}
