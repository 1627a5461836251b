#pragma once
// The part of the CUDA runtime that the backend uses, on a processor: the kernels' own source is
// compiled as C++ against it. Streams keep their work back until somebody waits for it, and then
// take it up in a random order among those that the events allow, so that a missing wait shows. The
// threads of a block are coroutines that meet at barriers; shared and fresh memory starts as NaN. A
// virtual clock follows what a device with the given latencies would have taken.

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <tuple>

#define __global__
#define __device__
#define __host__
#define __forceinline__ inline
#define __launch_bounds__(...)

struct dim3 {
  unsigned x = 1, y = 1, z = 1;
};

enum cudaError_t { cudaSuccess = 0, cudaErrorMemoryAllocation = 2, cudaErrorNoDevice = 100 };

enum cudaMemcpyKind { cudaMemcpyHostToDevice, cudaMemcpyDeviceToHost, cudaMemcpyDeviceToDevice };

enum cudaDeviceAttr {
  cudaDevAttrMultiProcessorCount,
  cudaDevAttrMaxSharedMemoryPerBlockOptin,
};

enum cudaFuncAttribute { cudaFuncAttributeMaxDynamicSharedMemorySize };

enum cudaMemPoolAttr { cudaMemPoolAttrReleaseThreshold };

inline constexpr unsigned cudaStreamNonBlocking = 1;
inline constexpr unsigned cudaEventDisableTiming = 2;

namespace ckpt::emulator {
struct Stream;
struct Event;
struct Pool;
}  // namespace ckpt::emulator

using cudaStream_t = ckpt::emulator::Stream*;
using cudaEvent_t = ckpt::emulator::Event*;
using cudaMemPool_t = ckpt::emulator::Pool*;

const char* cudaGetErrorString(cudaError_t error);
cudaError_t cudaGetLastError();
cudaError_t cudaSetDevice(int device);
cudaError_t cudaDeviceGetAttribute(int* value, cudaDeviceAttr attribute, int device);
cudaError_t cudaMemGetInfo(std::size_t* free, std::size_t* total);
cudaError_t cudaDeviceGetDefaultMemPool(cudaMemPool_t* pool, int device);
cudaError_t cudaMemPoolSetAttribute(cudaMemPool_t pool, cudaMemPoolAttr attribute, void* value);
cudaError_t cudaMemPoolTrimTo(cudaMemPool_t pool, std::size_t bytes);
cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned flags);
cudaError_t cudaStreamDestroy(cudaStream_t stream);
cudaError_t cudaStreamSynchronize(cudaStream_t stream);
cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t event, unsigned flags = 0);
cudaError_t cudaEventCreateWithFlags(cudaEvent_t* event, unsigned flags);
cudaError_t cudaEventDestroy(cudaEvent_t event);
cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream);
cudaError_t cudaEventSynchronize(cudaEvent_t event);
cudaError_t cudaMallocAsync(void** data, std::size_t bytes, cudaStream_t stream);
cudaError_t cudaFreeAsync(void* data, cudaStream_t stream);
cudaError_t cudaMallocHost(void** data, std::size_t bytes);
cudaError_t cudaFreeHost(void* data);
cudaError_t cudaMemcpyAsync(void* to, const void* from, std::size_t bytes, cudaMemcpyKind kind,
                            cudaStream_t stream);
cudaError_t cudaMemcpy2DAsync(void* to, std::size_t to_pitch, const void* from,
                              std::size_t from_pitch, std::size_t width, std::size_t height,
                              cudaMemcpyKind kind, cudaStream_t stream);
cudaError_t cudaMemsetAsync(void* to, int value, std::size_t bytes, cudaStream_t stream);

namespace ckpt::emulator {

/// What the emulated device is like. Times are virtual, in microseconds.
struct Machine {
  std::size_t memory = std::size_t{1} << 32;  ///< bytes
  int shared_memory = 101'376;                ///< bytes a block may ask for
  int processors = 4;
  double copy_bytes_per_us = 0;  ///< 0: copies take no time
  double kernel_us = 0;
  std::uint64_t refuse = 0;  ///< the allocation of this number and the next fail; 0: none does
  std::uint64_t order = 1;   ///< seed of the order in which streams and threads take turns
};

/// Takes up a machine; what streams still hold back is done first.
void use(const Machine& machine);

/// Since use(): the host's virtual clock after its last wait, microseconds.
double clock();
/// Time that the host spends on something else.
void advance(double us);
/// Since use(): the most device memory in use at a time, bytes.
std::size_t peak_memory();
/// Device and pinned allocations that were not freed.
std::size_t live_allocations();

cudaError_t launch(cudaStream_t stream, dim3 grid, dim3 block, std::size_t shared,
                   std::function<void()> thread);

/// State of the device thread that runs.
struct Here {
  dim3 thread, block, block_size, grid_size;
};

extern Here here;

void* shared_memory();
void block_barrier();
void warp_barrier();
bool block_any(bool value);
/// Sixteen bytes of each lane of a warp, open to the others between two barriers.
void* lane_slot(unsigned lane);
unsigned lane();
void copy_later(void* to, const void* from, int bytes);
void close_copies();
void wait_copies(int open_groups);

}  // namespace ckpt::emulator

#define threadIdx (::ckpt::emulator::here.thread)
#define blockIdx (::ckpt::emulator::here.block)
#define blockDim (::ckpt::emulator::here.block_size)
#define gridDim (::ckpt::emulator::here.grid_size)

inline void __syncthreads() {
  ckpt::emulator::block_barrier();
}

inline void __syncwarp() {
  ckpt::emulator::warp_barrier();
}

inline int __syncthreads_or(int value) {
  return ckpt::emulator::block_any(value != 0) ? 1 : 0;
}

template <class T>
T __shfl_xor_sync(unsigned, T value, int mask) {
  using namespace ckpt::emulator;
  std::memcpy(lane_slot(lane()), &value, sizeof(T));
  warp_barrier();
  T other;
  std::memcpy(&other, lane_slot(lane() ^ static_cast<unsigned>(mask)), sizeof(T));
  warp_barrier();
  return other;
}

template <class T>
T atomicAdd(T* at, T value) {
  const T old = *at;
  *at += value;
  return old;
}

template <class T>
T atomicMax(T* at, T value) {
  const T old = *at;
  if (value > old) *at = value;
  return old;
}

template <class T>
T atomicMin(T* at, T value) {
  const T old = *at;
  if (value < old) *at = value;
  return old;
}
