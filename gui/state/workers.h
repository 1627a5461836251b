#pragma once
// Work away from the interface: queued, cancellable by group, most urgent first.

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

namespace ckpt::gui {

/// What a group of work is for, the most urgent first; cancelling goes by group. From `refine` on
/// it is long work, which leaves one thread to what somebody waits for.
enum class Work : std::uint8_t { cell, open, tiles, refine, census, check, save };

/// Threads that run jobs, at least two. A job gets a token that a cancel of its group stops, and
/// says what it found through its own channel. Jobs must not throw. Thread-safe.
class Workers {
 public:
  using Job = std::function<void(std::stop_token)>;

  /// `wake` is called from a worker after each job.
  Workers(unsigned threads, std::function<void()> wake);
  ~Workers();
  Workers(const Workers&) = delete;
  Workers& operator=(const Workers&) = delete;

  void submit(Work group, std::string title, Job job);
  /// Forgets what is queued of a group and stops what runs of it.
  void cancel(Work group);
  void cancel_all();
  /// True while anything is queued or runs.
  [[nodiscard]] bool busy() const;
  /// Title of the longest-waiting work, empty when there is none; and how much there is.
  [[nodiscard]] std::pair<std::string, std::size_t> status() const;

 private:
  struct Entry {
    Work group;
    std::string title;
    Job job;
  };

  struct Running {
    Work group;
    std::string title;
    std::stop_source source;
  };

  void run(const std::stop_token& stop);
  /// The queued entry to run next, the end when none may run now.
  std::deque<Entry>::iterator next();

  mutable std::mutex mutex_;
  std::condition_variable_any ready_;
  std::deque<Entry> queue_;
  std::map<std::uint64_t, Running> running_;
  std::size_t long_running_ = 0;
  std::uint64_t next_ = 0;
  std::function<void()> wake_;
  std::size_t n_threads_;
  std::vector<std::jthread> threads_;
};

}  // namespace ckpt::gui
