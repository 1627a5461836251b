#include "gui/state/selection.h"

namespace ckpt::gui {

void History::go(const Selection& next) {
  if (next == current()) return;
  steps_.resize(at_ + 1);
  steps_.push_back(next);
  if (steps_.size() > kKept) steps_.erase(steps_.begin());
  at_ = steps_.size() - 1;
}

bool History::back() {
  if (!can_go_back()) return false;
  --at_;
  return true;
}

bool History::forward() {
  if (!can_go_forward()) return false;
  ++at_;
  return true;
}

}  // namespace ckpt::gui
