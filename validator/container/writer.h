#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "validator/base/dtype.h"
#include "validator/base/result.h"

namespace ckpt::container {

/// A tensor of a file to be written.
struct NewTensor {
  std::string name;
  Dtype dtype = Dtype::u8;
  Shape shape;
};

/// Writes one safetensors file from front to back: the header at once, then the bytes of the
/// tensors in their order, without gaps. Header padded with spaces to a multiple of 8; metadata
/// `format: pt`. Not thread-safe.
class Writer {
 public:
  /// Creates `path`, which must not exist. Errors: io; limit (a tensor beyond 2^64 bytes, a header
  /// beyond what readers take).
  [[nodiscard]] static Result<Writer> create(const std::string& path,
                                             std::span<const NewTensor> tensors);
  Writer(Writer&& other) noexcept;
  Writer& operator=(Writer&&) = delete;
  Writer(const Writer&) = delete;
  Writer& operator=(const Writer&) = delete;
  ~Writer();

  /// The next bytes of the data section. Errors: io; internal when more is written than described.
  [[nodiscard]] Result<void> write(std::span<const std::byte> bytes);
  /// Bytes [offset, offset + size) of tensor number `tensor`, in any order; each byte is to be
  /// written once. Not to be mixed with write(). Errors: io; internal outside the tensor.
  [[nodiscard]] Result<void> write_at(std::size_t tensor, std::uint64_t offset,
                                      std::span<const std::byte> bytes);
  /// Syncs and closes. Errors: io; internal when less was written than described.
  [[nodiscard]] Result<void> finish();

 private:
  Writer(int descriptor, std::string path, std::uint64_t bytes);

  int descriptor_ = -1;
  std::string path_;
  std::uint64_t left_ = 0;             ///< bytes of the data section still to come
  std::vector<std::uint64_t> begins_;  ///< of each tensor in the file, then the end
};

}  // namespace ckpt::container
