#include "validator/cli/progress_line.h"

#include <fmt/format.h>

#include <cstdio>

#include "validator/base/text.h"
#include "validator/cli/terminal.h"

namespace ckpt::cli {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point t) {
  return std::chrono::duration<double>(Clock::now() - t).count();
}

std::string left_text(double seconds) {
  if (seconds < 90) return fmt::format("{:.0f} s left", seconds);
  return fmt::format("{:.0f} min {:.0f} s left", seconds / 60 - 0.5,
                     static_cast<double>(static_cast<long>(seconds) % 60));
}

class Line : public Progress {
 public:
  void update(std::string_view stage, std::uint64_t done, std::uint64_t total,
              std::uint64_t bytes) override {
    if (stage != stage_) {
      stage_ = stage;
      stage_begin_ = Clock::now();
      last_ = {};
      bytes_begin_ = 0;
    }
    elapsed_ = seconds_since(stage_begin_);
    const bool last = done >= total;
    if (!due(last)) return;
    last_ = Clock::now();
    const double share = total == 0 ? 1 : static_cast<double>(done) / static_cast<double>(total);
    eta_ = share > 0 ? elapsed_ * (1 - share) / share : 0;
    print(done, total, bytes, share);
  }

 protected:
  std::string stage_;
  Clock::time_point begin_ = Clock::now();
  Clock::time_point stage_begin_ = Clock::now();
  Clock::time_point last_{};
  std::uint64_t bytes_begin_ = 0;
  double elapsed_ = 0;
  double eta_ = 0;

  [[nodiscard]] std::string rate(std::uint64_t bytes) const {
    if (bytes == 0 || elapsed_ < 0.1) return {};
    return bytes_text(static_cast<std::uint64_t>(static_cast<double>(bytes) / elapsed_)) + "/s   ";
  }

  virtual bool due(bool last) const = 0;
  virtual void print(std::uint64_t done, std::uint64_t total, std::uint64_t bytes,
                     double share) = 0;
};

class Bar final : public Line {
 public:
  ~Bar() override {
    if (shown_) std::fputs("\r\x1b[K", stderr);
    std::fflush(stderr);
  }

 private:
  bool shown_ = false;

  bool due(bool last) const override {
    return seconds_since(begin_) > 0.3 && (last || seconds_since(last_) > 0.1);
  }

  void print(std::uint64_t done, std::uint64_t total, std::uint64_t bytes, double share) override {
    constexpr std::size_t kCells = 20;
    const auto full = static_cast<std::size_t>(share * kCells);
    std::fputs(fmt::format("\r\x1b[K  {} {}/{}  {}{}  {:3.0f} %   {}{}", stage_, done, total,
                           std::string(full, '#'), std::string(kCells - full, '.'), 100 * share,
                           rate(bytes), done < total ? left_text(eta_) : "")
                   .c_str(),
               stderr);
    std::fflush(stderr);
    shown_ = true;
  }
};

class Plain final : public Line {
 private:
  bool due(bool last) const override {
    const bool first = last_ == Clock::time_point{};
    return (first && seconds_since(begin_) > 1) || (last && seconds_since(begin_) > 1) ||
           (!first && seconds_since(last_) > 30);
  }

  void print(std::uint64_t done, std::uint64_t total, std::uint64_t bytes, double share) override {
    std::fputs(fmt::format("{} {}/{}  {:.0f} %   {}{}\n", stage_, done, total, 100 * share,
                           rate(bytes), done < total ? left_text(eta_) : "done")
                   .c_str(),
               stderr);
  }
};

class JsonLines final : public Line {
 private:
  bool due(bool last) const override { return last || seconds_since(last_) > 0.5; }

  void print(std::uint64_t done, std::uint64_t total, std::uint64_t bytes, double) override {
    std::fputs(fmt::format(R"({{"stage":"{}","done":{},"total":{},"bytes":{},"eta_s":{:.0f}}})"
                           "\n",
                           stage_, done, total, bytes, eta_)
                   .c_str(),
               stderr);
  }
};

}  // namespace

std::unique_ptr<Progress> make_progress(ProgressMode mode) {
  if (mode == ProgressMode::automatic) {
    mode = is_terminal(2) ? ProgressMode::bar : ProgressMode::plain;
  }
  switch (mode) {
    case ProgressMode::bar:
      return std::make_unique<Bar>();
    case ProgressMode::json:
      return std::make_unique<JsonLines>();
    case ProgressMode::none:
      return std::make_unique<NoProgress>();
    default:
      return std::make_unique<Plain>();
  }
}

}  // namespace ckpt::cli
