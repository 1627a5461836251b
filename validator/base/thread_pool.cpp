#include "validator/base/thread_pool.h"

#include <algorithm>

namespace ckpt {

ThreadPool::ThreadPool(unsigned threads) {
  if (threads == 0) threads = std::max(1U, std::thread::hardware_concurrency());
  for (unsigned i = 1; i < threads; ++i) {
    workers_.emplace_back([this](const std::stop_token& stop) { work(stop); });
  }
}

ThreadPool::~ThreadPool() {
  for (std::jthread& worker : workers_) worker.request_stop();
  wake_.notify_all();
}

void ThreadPool::drain() {
  std::unique_lock lock(mutex_);
  while (next_ < end_) {
    const std::size_t index = next_++;
    // Read with the index: a worker that woke late may find itself in the next loop already.
    const auto* const body = body_;
    ++running_;
    lock.unlock();
    (*body)(index);
    lock.lock();
    --running_;
  }
  if (running_ == 0) done_.notify_all();
}

void ThreadPool::work(const std::stop_token& stop) {
  while (true) {
    {
      std::unique_lock lock(mutex_);
      if (!wake_.wait(lock, stop, [this] { return next_ < end_; })) return;
    }
    drain();
  }
}

void ThreadPool::parallel_for(std::size_t n, const std::function<void(std::size_t)>& body) {
  if (n == 0) return;
  if (workers_.empty() || n == 1) {
    for (std::size_t i = 0; i < n; ++i) body(i);
    return;
  }
  {
    const std::scoped_lock lock(mutex_);
    body_ = &body;
    next_ = 0;
    end_ = n;
  }
  wake_.notify_all();
  drain();
  std::unique_lock lock(mutex_);
  done_.wait(lock, [this] { return next_ >= end_ && running_ == 0; });
  end_ = 0;
  next_ = 0;
}

}  // namespace ckpt
