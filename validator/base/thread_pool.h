#pragma once

#include <condition_variable>
#include <cstddef>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace ckpt {

/// A fixed set of workers for loops over independent outputs; created once, in `cli` or `gui`, and
/// passed down. Which worker runs an index is not fixed, so no result may depend on it: parallel
/// over outputs, never across one reduction.
class ThreadPool {
 public:
  /// `threads` workers in all, the calling thread included; 0 means the hardware's number.
  explicit ThreadPool(unsigned threads);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  [[nodiscard]] unsigned size() const { return static_cast<unsigned>(workers_.size()) + 1; }

  /// Calls `body(i)` once for each i in [0, n), in any order and on any worker, and returns when
  /// all are done. One loop at a time; `body` must not throw and must not start another loop.
  void parallel_for(std::size_t n, const std::function<void(std::size_t)>& body);

 private:
  void work(const std::stop_token& stop);
  void drain();

  std::mutex mutex_;
  std::condition_variable_any wake_;
  std::condition_variable done_;
  const std::function<void(std::size_t)>* body_ = nullptr;
  std::size_t next_ = 0;
  std::size_t end_ = 0;
  std::size_t running_ = 0;
  std::vector<std::jthread> workers_;
};

}  // namespace ckpt
