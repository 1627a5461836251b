#include "gui/state/tensor_list.h"

#include <algorithm>

namespace ckpt::gui {

void TensorList::set_session(const Session* session) {
  session_ = session;
  rebuild();
}

Result<void> TensorList::set_filter(const std::string& text) {
  CKPT_TRY(Filter filter, Filter::parse(text), "filter");
  text_ = text;
  filter_ = std::move(filter);
  rebuild();
  return {};
}

void TensorList::set_sort(SortBy by, bool descending) {
  sort_ = by;
  descending_ = descending;
  rebuild();
}

void TensorList::set_tree(bool tree) {
  tree_ = tree;
  rebuild();
}

void TensorList::set_open(std::string_view path, bool open) {
  if (open)
    open_.emplace(path);
  else if (const auto at = open_.find(path); at != open_.end())
    open_.erase(at);
  rebuild();
}

void TensorList::rebuild() {
  rows_.clear();
  branches_.clear();
  matches_ = 0;
  if (session_ == nullptr) return;
  const auto& all = session_->rows();
  if (is_tree()) {
    matches_ = all.size();
    add_branch(0, all.size(), 0, 0);
    return;
  }
  rows_.reserve(all.size());
  for (std::size_t i = 0; i < all.size(); ++i) {
    const TensorRow& r = all[i];
    const auto at = static_cast<std::int32_t>(i);
    if (!filter_.empty() && !filter_.matches({r.name, dtype_name(r.dtype), r.layer, r.expert,
                                              double{r.bits}, static_cast<double>(r.bytes),
                                              double{r.error}, &session_->codes_of(at)})) {
      continue;
    }
    rows_.push_back({at});
  }
  matches_ = rows_.size();
  const auto key = [&](const ListRow& row) {
    const TensorRow& r = all[static_cast<std::size_t>(row.tensor)];
    if (sort_ == SortBy::bytes) return static_cast<double>(r.bytes);
    return sort_ == SortBy::bits ? double{r.bits} : double{r.error};
  };
  if (sort_ != SortBy::name) {
    std::ranges::stable_sort(rows_, [&](const ListRow& a, const ListRow& b) {
      return descending_ ? key(a) > key(b) : key(a) < key(b);
    });
  } else if (descending_) {
    std::ranges::reverse(rows_);
  }
}

// Names are sorted, so that those below one path stand together.
void TensorList::add_branch(std::size_t begin, std::size_t end, std::size_t prefix,
                            std::uint32_t depth) {
  constexpr std::uint32_t kDeepest = 64;
  const auto& all = session_->rows();
  for (std::size_t i = begin; i < end;) {
    const std::string_view name = all[i].name;
    const std::size_t dot = name.find('.', prefix);
    if (dot == std::string_view::npos || depth >= kDeepest) {
      rows_.push_back({static_cast<std::int32_t>(i), -1, depth});
      ++i;
      continue;
    }
    const std::string_view path = name.substr(0, dot + 1);
    std::size_t next = i;
    Branch branch{path.substr(0, dot)};
    while (next < end && all[next].name.starts_with(path)) branch.bytes += all[next++].bytes;
    branch.tensors = next - i;
    branch.open = open_.contains(branch.path);
    rows_.push_back({-1, static_cast<std::int32_t>(branches_.size()), depth});
    branches_.push_back(branch);
    if (branch.open) add_branch(i, next, dot + 1, depth + 1);
    i = next;
  }
}

std::int64_t TensorList::line_of(std::int32_t tensor) const {
  const auto at = std::ranges::find(rows_, tensor, &ListRow::tensor);
  return tensor < 0 || at == rows_.end() ? -1 : at - rows_.begin();
}

void TensorList::reveal(std::int32_t tensor) {
  if (session_ == nullptr || tensor < 0 || !is_tree()) return;
  const std::string_view name = session_->rows()[static_cast<std::size_t>(tensor)].name;
  bool changed = false;
  for (std::size_t dot = name.find('.'); dot != std::string_view::npos;
       dot = name.find('.', dot + 1)) {
    changed |= open_.emplace(name.substr(0, dot)).second;
  }
  if (changed) rebuild();
}

}  // namespace ckpt::gui
