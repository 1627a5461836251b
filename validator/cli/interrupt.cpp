#include "validator/cli/interrupt.h"

#include <pthread.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <ctime>

namespace ckpt::cli {
namespace {

std::atomic<int> received{0};

sigset_t handled() {
  sigset_t set;
  sigemptyset(&set);
  for (const int s : {SIGINT, SIGTERM, SIGHUP}) sigaddset(&set, s);
  return set;
}

int code_of(int signal) {
  return signal == 0 ? 0 : signal == SIGINT ? 130 : 143;
}

}  // namespace

Interrupt::Interrupt() {
  const sigset_t set = handled();
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  waiter_ = std::jthread([this, set](const std::stop_token& stop) {
    // Short waits, so that the destructor never hangs on a signal that does not come.
    const timespec tick{0, 50'000'000};
    while (!stop.stop_requested()) {
      const int signal = sigtimedwait(&set, nullptr, &tick);
      if (signal <= 0) continue;
      if (received.exchange(signal) != 0) ::_exit(code_of(signal));
      source_.request_stop();
    }
  });
}

Interrupt::~Interrupt() = default;

int Interrupt::exit_code() const {
  return code_of(received.load());
}

}  // namespace ckpt::cli
