#include "validator/base/file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/openat2.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "validator/base/text.h"
#include "validator/base/write_all.h"

namespace ckpt {
namespace {

constexpr int kFlags = O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;

std::string_view file_kind(mode_t mode) {
  if (S_ISDIR(mode)) return "a directory";
  if (S_ISFIFO(mode)) return "a FIFO";
  if (S_ISSOCK(mode)) return "a socket";
  if (S_ISCHR(mode) || S_ISBLK(mode)) return "a device";
  return "not a regular file";
}

Result<File> adopt(int descriptor, const std::string& name) {
  if (descriptor < 0) {
    const int error = errno;
    const auto kind = error == ENOENT || error == ENOTDIR ? ErrorKind::not_found : ErrorKind::io;
    if (error == EXDEV) return fail(kind, "it leads out of the repository");
    return fail(kind, errno_text(error));
  }

  struct stat info {};

  if (::fstat(descriptor, &info) != 0) {
    const int error = errno;
    ::close(descriptor);
    return fail(ErrorKind::io, errno_text(error));
  }
  if (!S_ISREG(info.st_mode)) {
    ::close(descriptor);
    return fail(ErrorKind::io, fmt::format("{}, not a regular file", file_kind(info.st_mode)));
  }
  return File(descriptor, static_cast<std::uint64_t>(info.st_size), shown(name));
}

/// open_beneath() for kernels before 5.6 and sandboxes that refuse openat2: component by component,
/// following no link and no `..`.
int walk_beneath(int directory, std::string_view name) {
  int at = ::fcntl(directory, F_DUPFD_CLOEXEC, 0);
  while (at >= 0) {
    const std::size_t slash = name.find('/');
    const std::string part(name.substr(0, slash));
    const bool last = slash == std::string_view::npos;
    int next = -1;
    int error = name.empty() && last ? ENOENT : EXDEV;
    if (part != ".." && !part.empty()) {
      next = ::openat(at, part.c_str(), kFlags | O_NOFOLLOW | (last ? 0 : O_DIRECTORY));
      error = errno;
    }
    ::close(at);
    errno = error;
    if (last || next < 0) return next;
    name.remove_prefix(slash + 1);
    at = next;
  }
  return -1;
}

int open_beneath(int directory, const std::string& name) {
  struct open_how how {};

  how.flags = static_cast<std::uint64_t>(kFlags);
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS;
  const long descriptor = ::syscall(SYS_openat2, directory, name.c_str(), &how, sizeof(how));
  if (descriptor >= 0 || (errno != ENOSYS && errno != EPERM)) return static_cast<int>(descriptor);
  return walk_beneath(directory, name);
}

}  // namespace

std::string errno_text(int error) {
  switch (error) {
    case ENOENT:
      return "no such file";
    case EACCES:
    case EPERM:
      return "permission denied";
    case ELOOP:
      return "a link that leads nowhere or may not be followed";
    case ENOSPC:
      return "no space left on the device";
    case EMFILE:
    case ENFILE:
      return "too many open files";
    case EIO:
      return "the storage reported an input/output error";
    default:
      break;
  }
  char buffer[128];
  return ::strerror_r(error, buffer, sizeof(buffer));
}

File::File(int descriptor, std::uint64_t size, std::string label)
    : File(descriptor, size, size, std::move(label)) {}

File::File(int descriptor, std::uint64_t size, std::uint64_t held, std::string label)
    : descriptor_(descriptor), size_(size), held_(held), label_(std::move(label)) {}

File::File(File&& other) noexcept
    : descriptor_(std::exchange(other.descriptor_, -1)),
      size_(other.size_),
      held_(other.held_),
      label_(std::move(other.label_)) {}

File& File::operator=(File&& other) noexcept {
  std::swap(descriptor_, other.descriptor_);
  std::swap(size_, other.size_);
  std::swap(held_, other.held_);
  std::swap(label_, other.label_);
  return *this;
}

File::~File() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

Result<void> File::read(std::uint64_t offset, std::span<std::byte> out) const {
  if (held_ < size_ && offset + out.size() > held_) {
    return fail(
        ErrorKind::io,
        fmt::format("{}: {} of {} were read from the hub, without the weights; download the "
                    "repo (`hf download`) for this",
                    label_, bytes_text(held_), bytes_text(size_)));
  }
  std::size_t done = 0;
  while (done < out.size()) {
    const ssize_t n = ::pread(descriptor_, out.data() + done, out.size() - done,
                              static_cast<off_t>(offset + done));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return fail(ErrorKind::io, fmt::format("{}: {}", label_, errno_text(errno)));
    if (n == 0) {
      return fail(ErrorKind::io, fmt::format("{}: the file ends at byte {}, {} more were expected",
                                             label_, offset + done, out.size() - done));
    }
    done += static_cast<std::size_t>(n);
  }
  return {};
}

void File::will_need(std::uint64_t offset, std::uint64_t length) const {
  ::posix_fadvise(descriptor_, static_cast<off_t>(offset), static_cast<off_t>(length),
                  POSIX_FADV_WILLNEED);
}

Result<File> open_file(const std::string& path) {
  if (path.find('\0') != std::string::npos) {
    return fail(ErrorKind::not_found, "a path that contains NUL");
  }
  return adopt(::open(path.c_str(), kFlags), path);
}

Result<File> open_file_at(int directory_fd, const std::string& name, bool beneath) {
  // The system would stop at a NUL and open another file than the one that is named.
  if (name.find('\0') != std::string::npos) {
    return fail(ErrorKind::not_found, "a file name that contains NUL");
  }
  const int descriptor =
      beneath ? open_beneath(directory_fd, name) : ::openat(directory_fd, name.c_str(), kFlags);
  return adopt(descriptor, name);
}

Result<File> memory_file(const std::string& name, std::string_view content) {
  return partial_file(name, content, content.size());
}

Result<File> partial_file(const std::string& name, std::string_view content, std::uint64_t size) {
  const int descriptor = ::memfd_create("ckpt-check", MFD_CLOEXEC);
  if (descriptor < 0) return fail(ErrorKind::io, fmt::format("{}: {}", name, errno_text(errno)));
  File file(descriptor, size, content.size(), shown(name));
  for (std::size_t done = 0; done < content.size();) {
    const ssize_t n = ::write(descriptor, content.data() + done, content.size() - done);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return fail(ErrorKind::io, fmt::format("{}: {}", name, errno_text(errno)));
    done += static_cast<std::size_t>(n);
  }
  return file;
}

Result<std::string> read_text(const File& file, std::uint64_t max_bytes) {
  if (file.size() > max_bytes) {
    return fail(ErrorKind::limit,
                fmt::format("{}: {} bytes, limit {}", file.label(), file.size(), max_bytes));
  }
  std::string text(file.size(), '\0');
  CKPT_TRY_VOID(file.read(0, std::as_writable_bytes(std::span(text))), "read");
  return text;
}

Result<TextBuffer> read_buffer(const File& file, std::uint64_t offset, std::uint64_t length) {
  if (offset > file.size() || length > file.size() - offset) {
    return fail(ErrorKind::io, fmt::format("{}: shorter than expected", file.label()));
  }
  // Whole huge pages: most of the time to read a text of some MB into fresh memory is page faults.
  constexpr std::uint64_t kPage = 2ULL << 20;
  const bool large = length >= kPage;
  const std::uint64_t room = large ? (length + kPage - 1) / kPage * kPage : length + 1;
  TextBuffer buffer;
  buffer.bytes_.reset(
      static_cast<char*>(large ? std::aligned_alloc(kPage, room) : std::malloc(room)));  // NOLINT
  if (!buffer.bytes_) {
    return fail(ErrorKind::limit, fmt::format("{}: no memory for {} bytes", file.label(), length));
  }
  if (large) ::madvise(buffer.bytes_.get(), room, MADV_HUGEPAGE);  // a hint
  buffer.size_ = length;
  const std::span<char> out(buffer.bytes_.get(), length);
  CKPT_TRY_VOID(file.read(offset, std::as_writable_bytes(out)), "read");
  return buffer;
}

namespace {

/// Makes a rename in the folder of `path` last. A hint: not every file system can.
void sync_folder_of(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  const std::string folder = slash == std::string::npos ? "." : path.substr(0, slash + 1);
  const int descriptor = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0) return;
  ::fsync(descriptor);
  ::close(descriptor);
}

/// Whether a file at `path` must be kept: it is none that holds bytes, or the system made it.
bool must_stay(const std::string& path) {
  struct stat s {};

  if (::stat(path.c_str(), &s) != 0 || S_ISDIR(s.st_mode)) return false;
  return !S_ISREG(s.st_mode) || path.starts_with("/dev/") || path.starts_with("/proc/");
}

Result<void> write_in_place(const std::string& path, std::string_view content) {
  const int descriptor = ::open(path.c_str(), O_WRONLY | O_CLOEXEC | O_NOCTTY);
  int error = descriptor < 0 ? errno : write_all(descriptor, content);
  if (descriptor >= 0 && ::close(descriptor) != 0 && error == 0) error = errno;
  if (error == 0) return {};
  return fail(ErrorKind::io, fmt::format("{}: {}", shown(path), errno_text(error)));
}

}  // namespace

int write_all(int descriptor, std::string_view content) {
  while (!content.empty()) {
    const ssize_t n = ::write(descriptor, content.data(), content.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return errno;
    content.remove_prefix(static_cast<std::size_t>(n));
  }
  return 0;
}

Result<void> write_file(const std::string& path, std::string_view content) {
  if (must_stay(path)) return write_in_place(path, content);
  std::string temporary = path + ".tmpXXXXXX";
  const int descriptor = ::mkstemp(temporary.data());
  if (descriptor < 0)
    return fail(ErrorKind::io, fmt::format("{}: {}", shown(path), errno_text(errno)));
  const auto give_up = [&](int error) {
    ::close(descriptor);
    ::unlink(temporary.c_str());
    return fail(ErrorKind::io, fmt::format("{}: {}", shown(path), errno_text(error)));
  };
  if (const int error = write_all(descriptor, content); error != 0) return give_up(error);
  const mode_t mask = ::umask(0);
  ::umask(mask);
  if (::fchmod(descriptor, 0666 & ~mask) != 0 || ::fsync(descriptor) != 0) return give_up(errno);
  if (::close(descriptor) != 0 || ::rename(temporary.c_str(), path.c_str()) != 0) {
    const int error = errno;
    ::unlink(temporary.c_str());
    return fail(ErrorKind::io, fmt::format("{}: {}", shown(path), errno_text(error)));
  }
  sync_folder_of(path);
  return {};
}

}  // namespace ckpt
