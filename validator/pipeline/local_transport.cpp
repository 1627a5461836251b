#include "validator/pipeline/local_transport.h"

#include <algorithm>

namespace ckpt::pipeline {

void Post::put(int from, int to, std::string message) {
  {
    const std::scoped_lock lock(mutex_);
    queue(from, to).push_back(std::move(message));
  }
  changed_.notify_all();
}

std::string Post::take(int from, int to) {
  std::unique_lock lock(mutex_);
  std::deque<std::string>& waiting = queue(from, to);
  changed_.wait(lock, [&waiting] { return !waiting.empty(); });
  std::string out = std::move(waiting.front());
  waiting.pop_front();
  return out;
}

bool Post::empty() {
  const std::scoped_lock lock(mutex_);
  return std::ranges::all_of(queues_, [](const auto& q) { return q.empty(); });
}

Result<void> LocalTransport::send(int to, std::string_view message) {
  post_.put(rank_, to, std::string(message));
  return {};
}

Result<std::string> LocalTransport::receive(int from) {
  return post_.take(from, rank_);
}

}  // namespace ckpt::pipeline
