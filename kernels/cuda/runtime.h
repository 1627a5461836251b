#pragma once
// One device: its streams, its memory within a budget, and the way of weights into it.

#include <cuda_runtime.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "validator/base/result.h"

namespace ckpt::kernels::cuda {

/// The runtime's answer as an Error of kind memory or device. Errors: those.
[[nodiscard]] Result<void> check(cudaError_t error, const char* what);

class Device;

/// Device memory, given back in the order of the compute stream.
class Block {
 public:
  Block() = default;

  Block(Device& device, void* data, std::size_t bytes)
      : device_(&device), data_(data), bytes_(bytes) {}

  Block(Block&& other) noexcept;
  Block& operator=(Block&& other) noexcept;
  Block(const Block&) = delete;
  Block& operator=(const Block&) = delete;
  ~Block();

  template <class T>
  [[nodiscard]] T* as() const {
    return static_cast<T*>(data_);
  }

  [[nodiscard]] std::size_t bytes() const { return bytes_; }

  /// Gives up ownership: free it with Device::release.
  [[nodiscard]] void* detach();

 private:
  Device* device_ = nullptr;
  void* data_ = nullptr;
  std::size_t bytes_ = 0;
};

/// A point in a stream. Movable, so that what it guards can carry it.
class Event {
 public:
  Event() = default;
  Event(Event&& other) noexcept;
  Event& operator=(Event&& other) noexcept;
  Event(const Event&) = delete;
  Event& operator=(const Event&) = delete;
  ~Event();

  [[nodiscard]] Result<void> record(cudaStream_t stream);
  [[nodiscard]] Result<void> wait() const;
  /// `stream` goes on only after this point.
  [[nodiscard]] Result<void> hold(cudaStream_t stream) const;

 private:
  cudaEvent_t event_ = nullptr;
};

/// Pinned host memory.
struct FreePinned {
  void operator()(std::byte* p) const { cudaFreeHost(p); }
};

using Pinned = std::unique_ptr<std::byte, FreePinned>;

/// Used from one thread. Kernels run on compute(); weights travel on a stream of their own.
class Device {
 public:
  /// Errors: device.
  [[nodiscard]] static Result<std::unique_ptr<Device>> open(int index, std::uint64_t memory);
  ~Device();
  Device(const Device&) = delete;
  Device& operator=(const Device&) = delete;

  /// Makes it the device of the calling thread, which everything below counts on. Errors: device.
  [[nodiscard]] Result<void> select() const;

  [[nodiscard]] cudaStream_t compute() const { return compute_; }

  /// Bytes that may be in use at a time.
  [[nodiscard]] std::uint64_t budget() const { return budget_; }

  /// Bytes of shared memory that a block may ask for.
  [[nodiscard]] std::int64_t shared_limit() const { return shared_limit_; }

  /// Memory for work on compute(). Errors: memory, when the budget or the device has no more.
  [[nodiscard]] Result<Block> allocate(std::size_t bytes);
  void release(void* data, std::size_t bytes);
  /// Memory filled from `from`, which may change after the call. `ready` is when it has arrived.
  [[nodiscard]] Result<Block> upload(std::span<const std::byte> from, Event& ready);
  /// The same for something small that the next kernel needs: arrives in the order of compute().
  [[nodiscard]] Result<Block> upload_small(std::span<const std::byte> from);

  template <class T>
  [[nodiscard]] Result<Block> upload_small(std::span<const T> from) {
    return upload_small(std::as_bytes(from));
  }

  /// Waits for compute() and copies [rows, width] bytes back, `pitch` bytes apart on the device.
  [[nodiscard]] Result<void> download(const void* from, std::size_t pitch, std::size_t width,
                                      std::size_t rows, void* to);

 private:
  static constexpr std::size_t kSlots = 4;
  static constexpr std::size_t kSlotBytes = std::size_t{8} << 20;

  struct Slot {
    Pinned memory;
    Event free;
  };

  Device(int index, std::uint64_t memory) : index_(index), budget_(memory) {}

  [[nodiscard]] Result<void> start();
  [[nodiscard]] Result<void*> take(std::size_t bytes, cudaStream_t stream);
  [[nodiscard]] Result<void> settle();

  int index_;
  std::uint64_t budget_;
  std::uint64_t in_use_ = 0;
  std::uint64_t freed_ = 0;  // since the last wait: perhaps not free yet
  std::int64_t shared_limit_ = 0;
  cudaStream_t compute_ = nullptr;
  cudaStream_t copy_ = nullptr;
  std::array<Slot, kSlots> slots_;
  std::size_t next_slot_ = 0;
  Pinned results_;
  std::size_t results_bytes_ = 0;
};

}  // namespace ckpt::kernels::cuda
