#pragma once
// The one selection that every part shows, and the way back through earlier ones.

#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

namespace ckpt::gui {

struct Cell {
  std::uint64_t row = 0;
  std::uint64_t column = 0;
  friend bool operator==(const Cell&, const Cell&) = default;
};

/// What is selected; -1 where nothing is. Indices are those of the session.
struct Selection {
  std::int32_t tensor = -1;
  std::int32_t module = -1;
  int layer = -1;
  int expert = -1;
  int finding = -1;
  int token = -1;  ///< into metrics->over_text->positions
  std::optional<Cell> cell;
  friend bool operator==(const Selection&, const Selection&) = default;
};

/// Earlier selections, as a browser keeps its pages.
class History {
 public:
  static constexpr std::size_t kKept = 200;

  [[nodiscard]] const Selection& current() const { return steps_[at_]; }

  /// Goes to `next`, forgetting what lay ahead; nothing when it is the current one.
  void go(const Selection& next);

  /// Changes the current step in place, for moves within one thing such as from cell to cell.
  void refine(const Selection& next) { steps_[at_] = next; }

  bool back();
  bool forward();

  /// Puts `change(step)` in the place of every step, when what they point into has changed.
  void update(const std::function<void(Selection&)>& change) {
    for (Selection& step : steps_) change(step);
  }

  [[nodiscard]] bool can_go_back() const { return at_ > 0; }

  [[nodiscard]] bool can_go_forward() const { return at_ + 1 < steps_.size(); }

 private:
  std::vector<Selection> steps_{Selection{}};
  std::size_t at_ = 0;
};

}  // namespace ckpt::gui
