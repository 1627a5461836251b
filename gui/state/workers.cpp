#include "gui/state/workers.h"

#include <algorithm>

namespace ckpt::gui {

Workers::Workers(unsigned threads, std::function<void()> wake) : wake_(std::move(wake)) {
  for (unsigned i = 0; i < std::max(threads, 1U); ++i) {
    threads_.emplace_back([this](const std::stop_token& stop) { run(stop); });
  }
}

Workers::~Workers() {
  cancel_all();
  for (auto& thread : threads_) thread.request_stop();
  threads_.clear();
}

void Workers::submit(Work group, std::string title, Job job) {
  {
    const std::scoped_lock lock(mutex_);
    queue_.push_back({group, std::move(title), std::move(job)});
  }
  ready_.notify_one();
}

void Workers::cancel(Work group) {
  const std::scoped_lock lock(mutex_);
  std::erase_if(queue_, [group](const Entry& e) { return e.group == group; });
  for (auto& [number, job] : running_) {
    if (job.group == group) job.source.request_stop();
  }
}

void Workers::cancel_all() {
  const std::scoped_lock lock(mutex_);
  queue_.clear();
  for (auto& [number, job] : running_) job.source.request_stop();
}

bool Workers::busy() const {
  const std::scoped_lock lock(mutex_);
  return !queue_.empty() || !running_.empty();
}

std::pair<std::string, std::size_t> Workers::status() const {
  const std::scoped_lock lock(mutex_);
  const std::size_t n = queue_.size() + running_.size();
  if (!running_.empty()) return {running_.begin()->second.title, n};
  return {queue_.empty() ? "" : queue_.front().title, n};
}

void Workers::run(const std::stop_token& stop) {
  std::unique_lock lock(mutex_);
  while (ready_.wait(lock, stop, [this] { return !queue_.empty(); })) {
    // Opening and single cells go before tiles, tiles before whole scans.
    const auto urgent = std::ranges::min_element(queue_, {}, [](const Entry& e) {
      return e.group == Work::cell ? 0 : e.group == Work::check ? 5 : static_cast<int>(e.group) + 1;
    });
    Entry entry = std::move(*urgent);
    queue_.erase(urgent);
    const std::uint64_t number = next_++;
    const auto at = running_.emplace(number, Running{entry.group, entry.title, {}}).first;
    const std::stop_token token = at->second.source.get_token();
    lock.unlock();
    entry.job(token);
    lock.lock();
    running_.erase(number);
    lock.unlock();
    if (wake_) wake_();
    lock.lock();
  }
}

}  // namespace ckpt::gui
