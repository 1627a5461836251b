#pragma once
// Messages between threads of this process that share a run, one per device.

#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "validator/pipeline/transport.h"

namespace ckpt::pipeline {

/// Queues between every two of some threads; outlives the transports over it.
class Post {
 public:
  explicit Post(int size) : queues_(static_cast<std::size_t>(size * size)), size_(size) {}

  [[nodiscard]] int size() const { return size_; }

  void put(int from, int to, std::string message);
  /// Waits for the next message.
  [[nodiscard]] std::string take(int from, int to);
  /// Nothing is on its way.
  [[nodiscard]] bool empty();

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::deque<std::string>> queues_;
  int size_;

  std::deque<std::string>& queue(int from, int to) {
    return queues_[static_cast<std::size_t>(from * size_ + to)];
  }
};

/// The end of one thread. Used from that thread.
class LocalTransport final : public Transport {
 public:
  LocalTransport(Post& post, int rank) : post_(post), rank_(rank) {}

  [[nodiscard]] int rank() const override { return rank_; }

  [[nodiscard]] int size() const override { return post_.size(); }

  [[nodiscard]] std::string_view member() const override { return "device"; }

  [[nodiscard]] std::string_view members() const override { return "devices"; }

  [[nodiscard]] Result<void> send(int to, std::string_view message) override;
  [[nodiscard]] Result<std::string> receive(int from) override;

 private:
  Post& post_;
  int rank_;
};

}  // namespace ckpt::pipeline
