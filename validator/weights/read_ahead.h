#pragma once

#include <condition_variable>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "validator/weights/model.h"

namespace ckpt::weights {

/// One module to be read, or some rows of it.
struct Request {
  const Model* model = nullptr;
  std::uint32_t module = 0;
  std::uint64_t row_begin = 0;
  std::uint64_t row_end = 0;  ///< 0: the whole weight
};

/// Reads modules in a fixed order on threads of its own, so that the next bytes come in while the
/// last ones compute. At most `budget_bytes` wait at a time, or one module if that is larger.
/// next() is called from one thread; the models must outlive this.
class ReadAhead {
 public:
  ReadAhead(std::vector<Request> requests, std::uint64_t budget_bytes);
  ~ReadAhead();
  ReadAhead(const ReadAhead&) = delete;
  ReadAhead& operator=(const ReadAhead&) = delete;

  /// The next module in order. Errors: those of Model::load; internal past the end.
  [[nodiscard]] Result<Parameter> next();

  /// The next module if it has been read already; nothing when it is still on its way or none is
  /// left.
  [[nodiscard]] std::optional<Result<Parameter>> next_if_ready();

  /// Bytes handed out so far.
  [[nodiscard]] std::uint64_t bytes_read() const { return bytes_read_; }

 private:
  struct Loaded {
    Result<Parameter> parameter;
    std::uint64_t reserved = 0;
  };

  void work(const std::stop_token& stop);
  Result<Parameter> take(std::unique_lock<std::mutex>& lock);

  std::vector<Request> requests_;
  std::uint64_t budget_;
  std::mutex mutex_;
  std::condition_variable_any changed_;
  std::map<std::size_t, Loaded> ready_;  // by place among the requests
  std::uint64_t reserved_bytes_ = 0;     // of what waits or is being read
  std::uint64_t bytes_read_ = 0;
  std::size_t next_ = 0;   // to be read
  std::size_t end_ = 0;    // nothing is read from here on
  std::size_t taken_ = 0;  // handed out
  std::vector<std::jthread> readers_;
};

}  // namespace ckpt::weights
