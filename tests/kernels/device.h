#pragma once
// The CUDA backend under test: a real device in the programs test_*_gpu, else the emulated one.

#include <cstdlib>
#include <memory>
#include <string>

#include "kernels/devices.h"

#ifndef CKPT_TEST_DEVICE
#include "kernels/cuda/cuda_ops.h"
#endif

namespace ckpt::kernels::test {

#ifdef CKPT_TEST_DEVICE

/// Device 0 through the plugin that the variable CKPT_TEST_PLUGIN names, else the one that was
/// built with the tests. `order` means nothing to a device.
inline Result<std::unique_ptr<Ops>> open_device(std::uint64_t /*order*/ = 1, int /*index*/ = 0) {
  const char* plugin = std::getenv("CKPT_TEST_PLUGIN");
  return open_cuda(plugin != nullptr ? plugin : CKPT_TEST_DEVICE, 0, 0);
}

#else

/// `order` seeds what runs first of what may run at the same time.
inline Result<std::unique_ptr<Ops>> open_device(std::uint64_t order = 1, int index = 0) {
  emulator::use({.order = order});
  return cuda::CudaOps::open(index, 0, "cuda emulated");
}

#endif

}  // namespace ckpt::kernels::test
