#include "kernels/cuda/plugin.h"

#include <cuda_runtime.h>

#include <cstdio>

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
