#pragma once

#include <cstdint>
#include <cstdlib>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "validator/base/result.h"

namespace ckpt {

/// One open regular file, read by pread into the caller's buffer (never mapped: a file that shrinks
/// must give an error, not a signal). Owns the descriptor. const methods are thread-safe.
class File {
 public:
  File() = default;
  File(int descriptor, std::uint64_t size, std::string label);
  /// A file of `size` bytes of which the descriptor has the first `held` only.
  File(int descriptor, std::uint64_t size, std::uint64_t held, std::string label);
  File(File&& other) noexcept;
  File& operator=(File&& other) noexcept;
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  ~File();

  /// Size when it was opened.
  [[nodiscard]] std::uint64_t size() const { return size_; }

  [[nodiscard]] bool is_open() const { return descriptor_ >= 0; }

  /// Name for messages, already safe to show.
  [[nodiscard]] const std::string& label() const { return label_; }

  /// Fills `out` from `offset`. Errors: io (the file ends earlier, its bytes there were left on the
  /// hub, or the system refuses).
  [[nodiscard]] Result<void> read(std::uint64_t offset, std::span<std::byte> out) const;
  /// Asks the kernel to read ahead; a hint only.
  void will_need(std::uint64_t offset, std::uint64_t length) const;

 private:
  int descriptor_ = -1;
  std::uint64_t size_ = 0;
  std::uint64_t held_ = 0;
  std::string label_;
};

/// Text read into memory of its own, whose address never changes: moves keep views into it valid.
class TextBuffer {
 public:
  TextBuffer() = default;

  [[nodiscard]] std::string_view view() const { return {bytes_.get(), size_}; }

 private:
  friend Result<TextBuffer> read_buffer(const File& file, std::uint64_t offset,
                                        std::uint64_t length);

  struct Free {
    void operator()(char* p) const { std::free(p); }  // NOLINT(cppcoreguidelines-no-malloc)
  };

  std::unique_ptr<char, Free> bytes_;
  std::uint64_t size_ = 0;
};

/// Reads a range as text. Errors: io.
[[nodiscard]] Result<TextBuffer> read_buffer(const File& file, std::uint64_t offset,
                                             std::uint64_t length);

/// Opens a path that the *user* named (not one from a file of a repo). Only regular files.
/// Errors: not_found, io.
[[nodiscard]] Result<File> open_file(const std::string& path);

/// Opens `name`, relative to directory `directory_fd`, if it is a regular file. With `beneath`, no
/// part of the way, links included, may leave the directory. Errors: not_found, io.
[[nodiscard]] Result<File> open_file_at(int directory_fd, const std::string& name, bool beneath);

/// A file that exists in memory only, with `content`. Errors: io.
[[nodiscard]] Result<File> memory_file(const std::string& name, std::string_view content);

/// A file of `size` bytes whose beginning is `content`; the rest cannot be read. Errors: io.
[[nodiscard]] Result<File> partial_file(const std::string& name, std::string_view content,
                                        std::uint64_t size);

/// Whole content as text. Errors: limit when it is longer than `max_bytes`; io.
[[nodiscard]] Result<std::string> read_text(const File& file, std::uint64_t max_bytes);

/// Writes `content` to `path` by a temporary file beside it, synced and renamed: whole or absent.
/// Into a device, pipe or such (`/dev/null`, `/dev/stdout`) it is written as it stands: those are
/// never replaced.
[[nodiscard]] Result<void> write_file(const std::string& path, std::string_view content);

/// Words for an errno value, for example `permission denied`.
[[nodiscard]] std::string errno_text(int error);

}  // namespace ckpt
