#include "validator/base/line_diff.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <vector>

namespace ckpt {
namespace {

using Lines = std::vector<std::string_view>;

constexpr std::ptrdiff_t kContext = 3;
constexpr std::ptrdiff_t kMostEdits = 2000;

Lines lines_of(std::string_view text) {
  Lines out;
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    out.push_back(text.substr(0, end == std::string_view::npos ? text.size() : end + 1));
    text.remove_prefix(out.back().size());
  }
  return out;
}

/// Lines [a, a + removed) of the old text become lines [b, b + added) of the new one.
struct Change {
  std::ptrdiff_t a = 0;
  std::ptrdiff_t removed = 0;
  std::ptrdiff_t b = 0;
  std::ptrdiff_t added = 0;
};

/// Myers, "An O(ND) difference algorithm" (1986): furthest points per diagonal, then the way back.
class Script {
 public:
  Script(const Lines& a, const Lines& b) : a_(a), b_(b) {}

  std::vector<Change> run() {
    n_ = static_cast<std::ptrdiff_t>(a_.size());
    m_ = static_cast<std::ptrdiff_t>(b_.size());
    while (head_ < std::min(n_, m_) && same(head_, head_)) ++head_;
    while (tail_ < std::min(n_, m_) - head_ && same(n_ - 1 - tail_, m_ - 1 - tail_)) ++tail_;
    n_ -= head_ + tail_;
    m_ -= head_ + tail_;
    if (n_ == 0 && m_ == 0) return {};
    if (!search()) return {{head_, n_, head_, m_}};
    return walk_back();
  }

 private:
  const Lines& a_;
  const Lines& b_;
  std::ptrdiff_t head_ = 0;
  std::ptrdiff_t tail_ = 0;
  std::ptrdiff_t n_ = 0;
  std::ptrdiff_t m_ = 0;
  std::vector<std::vector<std::ptrdiff_t>> furthest_;  // per number of edits: x by diagonal + d

  [[nodiscard]] bool same(std::ptrdiff_t i, std::ptrdiff_t j) const {
    return a_[static_cast<std::size_t>(i)] == b_[static_cast<std::size_t>(j)];
  }

  /// x on diagonal k after d edits, from what d - 1 edits reached; diagonals run from -d to d.
  [[nodiscard]] static std::ptrdiff_t start(const std::vector<std::ptrdiff_t>& last,
                                            std::ptrdiff_t d, std::ptrdiff_t k) {
    const auto at = [&last, d](std::ptrdiff_t diagonal) {
      return last[static_cast<std::size_t>(diagonal + d - 1)];
    };
    if (k == -d) return at(k + 1);
    if (k == d) return at(k - 1) + 1;
    return at(k - 1) < at(k + 1) ? at(k + 1) : at(k - 1) + 1;
  }

  bool search() {
    for (std::ptrdiff_t d = 0; d <= std::min(n_ + m_, kMostEdits); ++d) {
      std::vector<std::ptrdiff_t> row(static_cast<std::size_t>(2 * d + 1), -1);
      for (std::ptrdiff_t k = -d; k <= d; k += 2) {
        std::ptrdiff_t x = d == 0 ? 0 : start(furthest_.back(), d, k);
        while (x < n_ && x - k < m_ && x - k >= 0 && same(head_ + x, head_ + x - k)) ++x;
        row[static_cast<std::size_t>(k + d)] = x;
        if (x < n_ || x - k < m_) continue;
        furthest_.push_back(std::move(row));
        return true;
      }
      furthest_.push_back(std::move(row));
    }
    return false;
  }

  std::vector<Change> walk_back() {
    std::vector<Change> out;
    std::ptrdiff_t x = n_;
    std::ptrdiff_t y = m_;
    for (auto d = static_cast<std::ptrdiff_t>(furthest_.size()) - 1; d > 0; --d) {
      const std::ptrdiff_t k = x - y;
      const std::ptrdiff_t begin = start(furthest_[static_cast<std::size_t>(d - 1)], d, k);
      const bool down = k == -d || (k != d && begin == previous(d, k + 1));
      const std::ptrdiff_t px = down ? begin : begin - 1;
      const std::ptrdiff_t py = down ? begin - k - 1 : begin - k;
      add(out, {head_ + px, down ? 0 : 1, head_ + py, down ? 1 : 0});
      x = px;
      y = py;
    }
    std::ranges::reverse(out);
    return out;
  }

  [[nodiscard]] std::ptrdiff_t previous(std::ptrdiff_t d, std::ptrdiff_t k) const {
    return furthest_[static_cast<std::size_t>(d - 1)][static_cast<std::size_t>(k + d - 1)];
  }

  /// Changes arrive from the end of the texts; neighbours join.
  static void add(std::vector<Change>& out, Change c) {
    if (!out.empty() && c.a + c.removed == out.back().a && c.b + c.added == out.back().b) {
      out.back() = {c.a, c.removed + out.back().removed, c.b, c.added + out.back().added};
    } else {
      out.push_back(c);
    }
  }
};

void put(std::string& out, char mark, std::string_view line) {
  out += mark;
  out += line;
  if (!line.ends_with('\n')) out += "\n\\ No newline at end of file\n";
}

std::string range(std::ptrdiff_t first, std::ptrdiff_t count) {
  // An empty range names the line before it.
  return fmt::format("{},{}", count == 0 ? first : first + 1, count);
}

}  // namespace

std::string unified_diff(std::string_view name, std::string_view before, std::string_view after) {
  if (before == after) return {};
  const Lines a = lines_of(before);
  const Lines b = lines_of(after);
  const std::vector<Change> changes = Script(a, b).run();
  std::string out = fmt::format("--- a/{}\n+++ b/{}\n", name, name);
  for (std::size_t i = 0; i < changes.size();) {
    std::size_t last = i;
    while (last + 1 < changes.size() &&
           changes[last + 1].a - (changes[last].a + changes[last].removed) <= 2 * kContext) {
      ++last;
    }
    const std::ptrdiff_t begin = std::max<std::ptrdiff_t>(0, changes[i].a - kContext);
    const std::ptrdiff_t end = std::min(static_cast<std::ptrdiff_t>(a.size()),
                                        changes[last].a + changes[last].removed + kContext);
    const std::ptrdiff_t b_begin = changes[i].b - (changes[i].a - begin);
    const std::ptrdiff_t b_end =
        changes[last].b + changes[last].added + (end - changes[last].a - changes[last].removed);
    out +=
        fmt::format("@@ -{} +{} @@\n", range(begin, end - begin), range(b_begin, b_end - b_begin));
    std::ptrdiff_t at = begin;
    for (; i <= last; ++i) {
      const Change& c = changes[i];
      for (; at < c.a; ++at) put(out, ' ', a[static_cast<std::size_t>(at)]);
      for (; at < c.a + c.removed; ++at) put(out, '-', a[static_cast<std::size_t>(at)]);
      for (std::ptrdiff_t j = c.b; j < c.b + c.added; ++j)
        put(out, '+', b[static_cast<std::size_t>(j)]);
    }
    for (; at < end; ++at) put(out, ' ', a[static_cast<std::size_t>(at)]);
  }
  return out;
}

}  // namespace ckpt
