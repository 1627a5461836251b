#include "validator/cli/terminal.h"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdlib>

#include "validator/base/file.h"
#include "validator/base/write_all.h"

namespace ckpt::cli {
namespace {

std::string_view env(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? std::string_view{} : std::string_view(value);
}

}  // namespace

bool is_terminal(int stream) {
  return ::isatty(stream) == 1;
}

bool use_color(ColorMode mode, int stream) {
  if (mode != ColorMode::automatic) return mode == ColorMode::always;
  if (!env("NO_COLOR").empty()) return false;
  for (const char* name : {"CLICOLOR_FORCE", "FORCE_COLOR"}) {
    if (!env(name).empty() && env(name) != "0") return true;
  }
  return is_terminal(stream) && env("TERM") != "dumb";
}

std::size_t screen_width() {
  constexpr std::size_t kNarrow = 60;
  constexpr std::size_t kWide = 100;
  winsize size{};
  if (!is_terminal(1) || ::ioctl(1, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return kWide;
  return std::clamp<std::size_t>(size.ws_col, kNarrow, kWide);
}

Result<void> write_stdout(std::string_view text) {
  const int error = write_all(1, text);
  if (error == 0 || error == EPIPE) return {};
  return fail(ErrorKind::io, "standard output: " + errno_text(error));
}

void complain(std::string_view text) {
  std::string line = "ckpt-check: ";
  line += text;
  line += '\n';
  static_cast<void>(write_all(2, line));
}

void hush() {
  const int nowhere = ::open("/dev/null", O_WRONLY);
  if (nowhere < 0) return;
  ::dup2(nowhere, 2);
  ::close(nowhere);
}

void open_standard_streams() {
  for (int fd = 0; fd <= 2; ++fd) {
    if (::fcntl(fd, F_GETFD) == -1 && errno == EBADF) {
      // open() takes the lowest free number, which is `fd`.
      if (::open("/dev/null", fd == 0 ? O_RDONLY : O_WRONLY) < 0) std::_Exit(2);
    }
  }
  std::signal(SIGPIPE, SIG_IGN);
}

}  // namespace ckpt::cli
