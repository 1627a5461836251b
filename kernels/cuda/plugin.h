#pragma once
// The C interface of the CUDA plugin `libckpt_cuda.so`, looked up by name at run time.

extern "C" {

/// One device as the driver describes it.
struct CkptCudaDevice {
  char name[256];
  unsigned long long memory_bytes;
  int capability_major;
  int capability_minor;
};

/// Writes up to `capacity` devices to `devices` and returns how many there are; 0 without a driver
/// or a device. Never fails otherwise.
int ckpt_cuda_devices(CkptCudaDevice* devices, int capacity);
}
