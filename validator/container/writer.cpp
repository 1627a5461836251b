#include "validator/container/writer.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "validator/base/file.h"
#include "validator/base/json.h"
#include "validator/base/limits.h"
#include "validator/base/text.h"

namespace ckpt::container {
namespace {

Result<void> write_all(int descriptor, const std::string& path, const void* data,
                       std::size_t size) {
  const auto* p = static_cast<const char*>(data);
  while (size > 0) {
    const ssize_t n = ::write(descriptor, p, size);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return fail(ErrorKind::io, fmt::format("{}: {}", shown(path), errno_text(errno)));
    p += n;
    size -= static_cast<std::size_t>(n);
  }
  return {};
}

}  // namespace

Writer::Writer(int descriptor, std::string path, std::uint64_t bytes)
    : descriptor_(descriptor), path_(std::move(path)), left_(bytes) {}

Writer::Writer(Writer&& other) noexcept
    : descriptor_(std::exchange(other.descriptor_, -1)),
      path_(std::move(other.path_)),
      left_(other.left_),
      begins_(std::move(other.begins_)) {}

Writer::~Writer() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

Result<Writer> Writer::create(const std::string& path, std::span<const NewTensor> tensors) {
  std::string header = R"({"__metadata__":{"format":"pt"})";
  std::uint64_t at = 0;
  std::vector<std::uint64_t> begins;
  for (const NewTensor& t : tensors) {
    begins.push_back(at);
    const auto bytes = byte_count(t.dtype, t.shape);
    if (!bytes || *bytes > (1ULL << 62) - at) {
      return fail(ErrorKind::limit, fmt::format("{}: too large", shown(t.name)));
    }
    header += fmt::format(R"(,{}:{{"dtype":"{}","shape":[{}],"data_offsets":[{},{}]}})",
                          json::quoted(t.name), dtype_name(t.dtype), fmt::join(t.shape, ","), at,
                          at + *bytes);
    at += *bytes;
  }
  header += '}';
  header.append((8 - header.size() % 8) % 8, ' ');
  if (header.size() > limits::kHeaderBytesHub) {
    return fail(ErrorKind::limit, fmt::format("{}: a header of {} bytes, hub tools stop at {}",
                                              shown(path), header.size(), limits::kHeaderBytesHub));
  }
  const int descriptor = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  if (descriptor < 0) {
    return fail(ErrorKind::io, fmt::format("{}: {}", shown(path), errno_text(errno)));
  }
  Writer writer(descriptor, path, at);
  const std::uint64_t size = header.size();
  begins.push_back(at);
  for (std::uint64_t& begin : begins) begin += sizeof(size) + size;
  writer.begins_ = std::move(begins);
  CKPT_TRY_VOID(write_all(descriptor, path, &size, sizeof(size)), "header");
  CKPT_TRY_VOID(write_all(descriptor, path, header.data(), header.size()), "header");
  return writer;
}

Result<void> Writer::write(std::span<const std::byte> bytes) {
  if (bytes.size() > left_) {
    return fail(ErrorKind::internal, fmt::format("{}: more bytes than described", shown(path_)));
  }
  left_ -= bytes.size();
  return write_all(descriptor_, path_, bytes.data(), bytes.size());
}

Result<void> Writer::write_at(std::size_t tensor, std::uint64_t offset,
                              std::span<const std::byte> bytes) {
  if (tensor + 1 >= begins_.size() || bytes.size() > left_ ||
      offset > begins_[tensor + 1] - begins_[tensor] ||
      bytes.size() > begins_[tensor + 1] - begins_[tensor] - offset) {
    return fail(ErrorKind::internal, fmt::format("{}: outside a tensor", shown(path_)));
  }
  left_ -= bytes.size();
  std::uint64_t at = begins_[tensor] + offset;
  while (!bytes.empty()) {
    const ssize_t n = ::pwrite(descriptor_, bytes.data(), bytes.size(), static_cast<off_t>(at));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return fail(ErrorKind::io, fmt::format("{}: {}", shown(path_), errno_text(errno)));
    bytes = bytes.subspan(static_cast<std::size_t>(n));
    at += static_cast<std::uint64_t>(n);
  }
  return {};
}

Result<void> Writer::finish() {
  if (left_ != 0) {
    return fail(ErrorKind::internal, fmt::format("{}: fewer bytes than described", shown(path_)));
  }
  const int descriptor = std::exchange(descriptor_, -1);
  const bool synced = ::fsync(descriptor) == 0;
  if (::close(descriptor) != 0 || !synced) {
    return fail(ErrorKind::io, fmt::format("{}: {}", shown(path_), errno_text(errno)));
  }
  return {};
}

}  // namespace ckpt::container
