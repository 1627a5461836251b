#include "validator/weights/read_ahead.h"

#include <algorithm>
#include <utility>

namespace ckpt::weights {

namespace {

/// What a request will take; rows of a module take their share.
std::uint64_t bytes_of(const Request& r) {
  const std::uint64_t whole = r.model->bytes(r.module);
  if (r.row_end == 0) return whole;
  const auto& shape = r.model->blueprint().modules()[r.module].shape;
  const std::uint64_t rows = shape.empty() ? 1 : std::max<std::uint64_t>(1, shape[0]);
  return whole / rows * (r.row_end - r.row_begin);
}

}  // namespace

ReadAhead::ReadAhead(std::vector<Request> requests, std::uint64_t budget_bytes)
    : requests_(std::move(requests)), budget_(budget_bytes) {
  reader_ = std::jthread([this](const std::stop_token& stop) { work(stop); });
}

ReadAhead::~ReadAhead() {
  reader_.request_stop();
  changed_.notify_all();
}

void ReadAhead::work(const std::stop_token& stop) {
  for (const Request& r : requests_) {
    const std::uint64_t size = bytes_of(r);
    {
      std::unique_lock lock(mutex_);
      const bool go = changed_.wait(
          lock, stop, [&] { return ready_.empty() || waiting_bytes_ + size <= budget_; });
      if (!go) return;
    }
    Result<Parameter> loaded = r.row_end > 0 ? r.model->load_rows(r.module, r.row_begin, r.row_end)
                                             : r.model->load(r.module);
    const bool failed = !loaded;
    {
      const std::scoped_lock lock(mutex_);
      if (loaded) waiting_bytes_ += loaded->bytes();
      ready_.push_back(std::move(loaded));
    }
    changed_.notify_all();
    if (failed || stop.stop_requested()) return;
  }
}

Result<Parameter> ReadAhead::next() {
  std::unique_lock lock(mutex_);
  if (taken_ == requests_.size()) return fail(ErrorKind::internal, "no module is left to read");
  changed_.wait(lock, [this] { return !ready_.empty(); });
  return take(lock);
}

std::optional<Result<Parameter>> ReadAhead::next_if_ready() {
  std::unique_lock lock(mutex_);
  if (taken_ == requests_.size() || ready_.empty()) return std::nullopt;
  return take(lock);
}

Result<Parameter> ReadAhead::take(std::unique_lock<std::mutex>& lock) {
  Result<Parameter> out = std::move(ready_.front());
  ready_.pop_front();
  taken_ = out ? taken_ + 1 : requests_.size();  // after an error nothing more comes
  if (!out) return out;
  waiting_bytes_ -= out->bytes();
  bytes_read_ += out->bytes();
  lock.unlock();
  changed_.notify_all();
  return out;
}

}  // namespace ckpt::weights
