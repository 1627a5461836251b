#pragma once
// The rows of the tensor list: filtered and sorted, or as a tree of module paths.

#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "gui/state/filter.h"
#include "gui/state/session.h"

namespace ckpt::gui {

enum class SortBy : std::uint8_t { name, bytes, bits, error };

/// What stands in one line: a tensor, or a branch of the tree.
struct ListRow {
  std::int32_t tensor = -1;  ///< -1: a branch
  std::int32_t branch = -1;  ///< into branches()
  std::uint32_t depth = 0;
};

struct Branch {
  std::string_view path;  ///< up to its last dot, as stored: not safe to show
  std::uint64_t tensors = 0;
  std::uint64_t bytes = 0;
  bool open = false;
};

/// Rebuilt only when something changes. One thread.
class TensorList {
 public:
  void set_session(const Session* session);
  /// Errors: as Filter::parse; the earlier filter stays.
  [[nodiscard]] Result<void> set_filter(const std::string& text);
  void set_sort(SortBy by, bool descending);
  void set_tree(bool tree);
  /// Opens or closes a branch.
  void set_open(std::string_view path, bool open);

  [[nodiscard]] const std::vector<ListRow>& rows() const { return rows_; }

  [[nodiscard]] const std::vector<Branch>& branches() const { return branches_; }

  [[nodiscard]] const std::string& filter_text() const { return text_; }

  [[nodiscard]] bool is_tree() const { return tree_ && filter_.empty() && sort_ == SortBy::name; }

  [[nodiscard]] bool wants_tree() const { return tree_; }

  [[nodiscard]] SortBy sort() const { return sort_; }

  [[nodiscard]] bool descending() const { return descending_; }

  /// Tensors that pass the filter.
  [[nodiscard]] std::size_t matches() const { return matches_; }

  /// Line of a tensor, or -1; in the tree only when its branch is open.
  [[nodiscard]] std::int64_t line_of(std::int32_t tensor) const;
  /// Opens every branch above a tensor.
  void reveal(std::int32_t tensor);

 private:
  void rebuild();
  void add_branch(std::size_t begin, std::size_t end, std::size_t prefix, std::uint32_t depth);

  const Session* session_ = nullptr;
  std::string text_;
  Filter filter_;
  SortBy sort_ = SortBy::name;
  bool descending_ = false;
  bool tree_ = true;
  std::set<std::string, std::less<>> open_;
  std::vector<ListRow> rows_;
  std::vector<Branch> branches_;
  std::size_t matches_ = 0;
};

}  // namespace ckpt::gui
