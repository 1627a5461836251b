#include "gui/state/workers.h"

#include <algorithm>

namespace ckpt::gui {

namespace {

bool is_long(Work group) {
  return group >= Work::refine;
}

}  // namespace

Workers::Workers(unsigned threads, std::function<void()> wake)
    : wake_(std::move(wake)), n_threads_(std::max(threads, 2U)) {
  for (unsigned i = 0; i < n_threads_; ++i) {
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

std::deque<Workers::Entry>::iterator Workers::next() {
  const auto at = std::ranges::min_element(queue_, {}, &Entry::group);
  const bool full = long_running_ + 1 >= n_threads_;
  return at != queue_.end() && is_long(at->group) && full ? queue_.end() : at;
}

void Workers::run(const std::stop_token& stop) {
  std::unique_lock lock(mutex_);
  while (ready_.wait(lock, stop, [this] { return next() != queue_.end(); })) {
    const auto at = next();
    Entry entry = std::move(*at);
    queue_.erase(at);
    const std::uint64_t number = next_++;
    const std::size_t is_one = is_long(entry.group) ? 1 : 0;
    long_running_ += is_one;
    const auto running = running_.emplace(number, Running{entry.group, entry.title, {}}).first;
    const std::stop_token token = running->second.source.get_token();
    lock.unlock();
    entry.job(token);
    lock.lock();
    running_.erase(number);
    long_running_ -= is_one;
    lock.unlock();
    if (is_one > 0) ready_.notify_one();
    if (wake_) wake_();
    lock.lock();
  }
}

}  // namespace ckpt::gui
