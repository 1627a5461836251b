#include "kernels/cuda/runtime.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <utility>

namespace ckpt::kernels::cuda {

namespace {

Result<Pinned> pin(std::size_t bytes) {
  void* memory = nullptr;
  CKPT_TRY_VOID(check(cudaMallocHost(&memory, bytes), "pinned memory"), "cuda");
  return Pinned(static_cast<std::byte*>(memory));
}

}  // namespace

Result<void> check(cudaError_t error, const char* what) {
  if (error == cudaSuccess) return {};
  const bool memory = error == cudaErrorMemoryAllocation;
  return fail(memory ? ErrorKind::memory : ErrorKind::device,
              fmt::format("{}: {}", what, cudaGetErrorString(error)));
}

Block::Block(Block&& other) noexcept
    : device_(other.device_), data_(std::exchange(other.data_, nullptr)), bytes_(other.bytes_) {}

Block& Block::operator=(Block&& other) noexcept {
  if (this != &other) {
    if (data_ != nullptr) device_->release(data_, bytes_);
    device_ = other.device_;
    data_ = std::exchange(other.data_, nullptr);
    bytes_ = other.bytes_;
  }
  return *this;
}

Block::~Block() {
  if (data_ != nullptr) device_->release(data_, bytes_);
}

void* Block::detach() {
  return std::exchange(data_, nullptr);
}

Event::Event(Event&& other) noexcept : event_(std::exchange(other.event_, nullptr)) {}

Event& Event::operator=(Event&& other) noexcept {
  if (this != &other) {
    if (event_ != nullptr) cudaEventDestroy(event_);
    event_ = std::exchange(other.event_, nullptr);
  }
  return *this;
}

Event::~Event() {
  if (event_ != nullptr) cudaEventDestroy(event_);
}

Result<void> Event::record(cudaStream_t stream) {
  if (event_ == nullptr) {
    CKPT_TRY_VOID(check(cudaEventCreateWithFlags(&event_, cudaEventDisableTiming), "event"),
                  "cuda");
  }
  return check(cudaEventRecord(event_, stream), "event");
}

Result<void> Event::wait() const {
  return event_ == nullptr ? Result<void>{} : check(cudaEventSynchronize(event_), "event");
}

Result<void> Event::hold(cudaStream_t stream) const {
  return event_ == nullptr ? Result<void>{}
                           : check(cudaStreamWaitEvent(stream, event_, 0), "event");
}

Result<std::unique_ptr<Device>> Device::open(int index, std::uint64_t memory) {
  std::unique_ptr<Device> device(new Device(index, memory));
  CKPT_TRY_VOID(device->start(), fmt::format("cuda device {}", index));
  return device;
}

Result<void> Device::start() {
  CKPT_TRY_VOID(select(), "open");
  CKPT_TRY_VOID(check(cudaStreamCreateWithFlags(&compute_, cudaStreamNonBlocking), "stream"),
                "open");
  CKPT_TRY_VOID(check(cudaStreamCreateWithFlags(&copy_, cudaStreamNonBlocking), "stream"), "open");
  int shared = 0;
  CKPT_TRY_VOID(
      check(cudaDeviceGetAttribute(&shared, cudaDevAttrMaxSharedMemoryPerBlockOptin, index_),
            "attributes"),
      "open");
  shared_limit_ = shared;
  // Without a threshold the pool would give everything back at each wait.
  cudaMemPool_t pool = nullptr;
  std::uint64_t keep = UINT64_MAX;
  CKPT_TRY_VOID(check(cudaDeviceGetDefaultMemPool(&pool, index_), "memory pool"), "open");
  CKPT_TRY_VOID(
      check(cudaMemPoolSetAttribute(pool, cudaMemPoolAttrReleaseThreshold, &keep), "memory pool"),
      "open");
  std::size_t free = 0;
  std::size_t total = 0;
  CKPT_TRY_VOID(check(cudaMemGetInfo(&free, &total), "memory"), "open");
  // Some stays free for what the runtime itself takes.
  const std::uint64_t most = free - free / 20;
  budget_ = budget_ == 0 ? most : std::min<std::uint64_t>(budget_, most);
  for (Slot& slot : slots_) {
    CKPT_TRY(slot.memory, pin(kSlotBytes), "open");
  }
  return {};
}

Result<void> Device::select() const {
  return check(cudaSetDevice(index_), "select");
}

Device::~Device() {
  if (compute_ != nullptr) {
    cudaStreamSynchronize(compute_);
    cudaStreamDestroy(compute_);
  }
  if (copy_ != nullptr) {
    cudaStreamSynchronize(copy_);
    cudaStreamDestroy(copy_);
  }
}

Result<void*> Device::take(std::size_t bytes, cudaStream_t stream) {
  if (bytes > budget_ - in_use_) {
    return fail(ErrorKind::memory, fmt::format("device memory: {} MB more do not fit into {} MB",
                                               bytes / 1'000'000, budget_ / 1'000'000));
  }
  if (bytes > budget_ - in_use_ - std::min(freed_, budget_ - in_use_)) {
    CKPT_TRY_VOID(settle(), "cuda");
  }
  void* data = nullptr;
  const std::size_t size = std::max<std::size_t>(bytes, 1);
  cudaError_t error = cudaMallocAsync(&data, size, stream);
  if (error == cudaErrorMemoryAllocation && freed_ > 0) {
    static_cast<void>(cudaGetLastError());  // seen
    CKPT_TRY_VOID(settle(), "cuda");
    error = cudaMallocAsync(&data, size, stream);
  }
  if (error == cudaErrorMemoryAllocation) static_cast<void>(cudaGetLastError());
  CKPT_TRY_VOID(check(error, "device memory"), "cuda");
  in_use_ += bytes;
  return data;
}

// Waits until what was freed is free.
Result<void> Device::settle() {
  CKPT_TRY_VOID(check(cudaStreamSynchronize(compute_), "device"), "wait");
  freed_ = 0;
  return {};
}

Result<Block> Device::allocate(std::size_t bytes) {
  CKPT_TRY(void* data, take(bytes, compute_), "cuda");
  return Block(*this, data, bytes);
}

void Device::release(void* data, std::size_t bytes) {
  // A destructor has nobody to tell; a device that fails here fails at the next call too.
  static_cast<void>(cudaFreeAsync(data, compute_));
  in_use_ -= bytes;
  freed_ += bytes;
}

Result<Block> Device::upload(std::span<const std::byte> from, Event& ready) {
  CKPT_TRY(void* data, take(from.size(), copy_), "cuda");
  Block block(*this, data, from.size());
  for (std::size_t at = 0; at < from.size(); at += kSlotBytes) {
    Slot& slot = slots_[next_slot_++ % kSlots];
    const std::size_t count = std::min(kSlotBytes, from.size() - at);
    CKPT_TRY_VOID(slot.free.wait(), "upload");
    std::memcpy(slot.memory.get(), from.data() + at, count);
    CKPT_TRY_VOID(check(cudaMemcpyAsync(block.as<std::byte>() + at, slot.memory.get(), count,
                                        cudaMemcpyHostToDevice, copy_),
                        "copy"),
                  "upload");
    CKPT_TRY_VOID(slot.free.record(copy_), "upload");
  }
  CKPT_TRY_VOID(ready.record(copy_), "upload");
  return block;
}

Result<Block> Device::upload_small(std::span<const std::byte> from) {
  CKPT_TRY(Block block, allocate(from.size()), "cuda");
  if (from.empty()) return block;
  // Pageable memory has been taken over when the call returns.
  CKPT_TRY_VOID(check(cudaMemcpyAsync(block.as<std::byte>(), from.data(), from.size(),
                                      cudaMemcpyHostToDevice, compute_),
                      "copy"),
                "upload");
  return block;
}

Result<void> Device::download(const void* from, std::size_t pitch, std::size_t width,
                              std::size_t rows, void* to) {
  const std::size_t bytes = width * rows;
  if (bytes == 0) return {};
  if (bytes > results_bytes_) {
    results_.reset();
    results_bytes_ = 0;
    CKPT_TRY(results_, pin(bytes), "download");
    results_bytes_ = bytes;
  }
  CKPT_TRY_VOID(check(cudaMemcpy2DAsync(results_.get(), width, from, pitch, width, rows,
                                        cudaMemcpyDeviceToHost, compute_),
                      "copy"),
                "download");
  CKPT_TRY_VOID(settle(), "download");
  std::memcpy(to, results_.get(), bytes);
  return {};
}

}  // namespace ckpt::kernels::cuda
