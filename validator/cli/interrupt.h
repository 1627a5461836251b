#pragma once

#include <stop_token>
#include <thread>

namespace ckpt::cli {

/// Turns SIGINT and SIGTERM into a stop request; the second one ends the process at once. Made
/// once, before any other thread, so that all threads inherit the blocked signals.
class Interrupt {
 public:
  Interrupt();
  ~Interrupt();
  Interrupt(const Interrupt&) = delete;
  Interrupt& operator=(const Interrupt&) = delete;

  [[nodiscard]] std::stop_token token() const { return source_.get_token(); }

  /// 130 or 143 after a signal, else 0.
  [[nodiscard]] int exit_code() const;

 private:
  std::stop_source source_;
  std::jthread waiter_;
};

}  // namespace ckpt::cli
