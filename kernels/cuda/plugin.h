#pragma once
// The interface of the CUDA plugin `libckpt_cuda.so`, looked up by name at run time. What crosses
// it are C++ objects, so both sides must be of one version: ckpt_cuda_interface says of which.

#include <cstdint>

/// Changes with every release; the trailing number with every change of kernels/ops.h in between.
#define CKPT_CUDA_INTERFACE CKPT_VERSION " 2"

namespace ckpt::kernels {
class Ops;
}

extern "C" {

/// One device as the driver describes it.
struct CkptCudaDevice {
  char name[256];
  unsigned long long memory_bytes;
  int capability_major;
  int capability_minor;
};

extern const char* const ckpt_cuda_interface;

/// Writes up to `capacity` devices to `devices` and returns how many there are; 0 without a driver
/// or a device. Never fails otherwise.
int ckpt_cuda_devices(CkptCudaDevice* devices, int capacity);

/// Makes the ops of a device in *ops and returns 0, or the reason in `why` and 1.
int ckpt_cuda_open(int device, std::uint64_t memory, ckpt::kernels::Ops** ops, char* why,
                   int capacity);
}

using CkptCudaOpen = decltype(&ckpt_cuda_open);
