#include "validator/weights/read_ahead.h"

#include <algorithm>
#include <utility>

namespace ckpt::weights {

namespace {

// One read at a time leaves a solid-state disk idle between requests, and copies from the page
// cache no faster than one core can.
constexpr int kReaders = 3;

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
    : requests_(std::move(requests)), budget_(budget_bytes), end_(requests_.size()) {
  for (int i = 0; i < kReaders; ++i) {
    readers_.emplace_back([this](const std::stop_token& stop) { work(stop); });
  }
}

ReadAhead::~ReadAhead() {
  for (std::jthread& reader : readers_) reader.request_stop();
  changed_.notify_all();
}

void ReadAhead::work(const std::stop_token& stop) {
  std::unique_lock lock(mutex_);
  while (next_ < end_) {
    const std::size_t mine = next_++;
    const Request& r = requests_[mine];
    const std::uint64_t size = bytes_of(r);
    // The module that is asked for next is read whatever it takes: nothing else would make room.
    const bool go = changed_.wait(lock, stop, [&] {
      return mine >= end_ || mine == taken_ || reserved_bytes_ + size <= budget_;
    });
    if (!go || mine >= end_) return;
    reserved_bytes_ += size;
    lock.unlock();
    Result<Parameter> loaded = r.row_end > 0 ? r.model->load_rows(r.module, r.row_begin, r.row_end)
                                             : r.model->load(r.module);
    lock.lock();
    if (!loaded) end_ = std::min(end_, mine + 1);  // what comes before it is still read
    ready_.emplace(mine, Loaded{std::move(loaded), size});
    changed_.notify_all();
    if (stop.stop_requested()) return;
  }
}

Result<Parameter> ReadAhead::next() {
  std::unique_lock lock(mutex_);
  if (taken_ == requests_.size()) return fail(ErrorKind::internal, "no module is left to read");
  changed_.wait(lock, [this] { return ready_.contains(taken_); });
  return take(lock);
}

std::optional<Result<Parameter>> ReadAhead::next_if_ready() {
  std::unique_lock lock(mutex_);
  if (!ready_.contains(taken_)) return std::nullopt;
  return take(lock);
}

Result<Parameter> ReadAhead::take(std::unique_lock<std::mutex>& lock) {
  auto at = ready_.find(taken_);
  Loaded loaded = std::move(at->second);
  ready_.erase(at);
  // After an error nothing more comes.
  taken_ = loaded.parameter ? taken_ + 1 : requests_.size();
  reserved_bytes_ -= loaded.reserved;
  if (loaded.parameter) bytes_read_ += loaded.parameter->bytes();
  lock.unlock();
  changed_.notify_all();
  return std::move(loaded.parameter);
}

}  // namespace ckpt::weights
