#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <numeric>
#include <string_view>
#include <vector>

namespace ckpt::container {

/// Positions 0..n-1 in the order of `less(a, b)`, equal ones in their own order. Writers sort by
/// name within a dtype or not at all, so a list is a few sorted runs: these are merged, in
/// O(n log runs) comparisons.
template <class Less>
[[nodiscard]] std::vector<std::uint32_t> merge_runs(std::size_t n, Less&& less) {
  std::vector<std::uint32_t> order(n);
  std::iota(order.begin(), order.end(), 0U);
  std::vector<std::size_t> ends;  // one past the last of each run
  for (std::size_t i = 1; i <= n; ++i) {
    if (i == n || less(order[i], order[i - 1])) ends.push_back(i);
  }
  std::vector<std::uint32_t> other(ends.size() > 1 ? n : 0);
  while (ends.size() > 1) {
    std::vector<std::size_t> merged;
    std::size_t begin = 0;
    for (std::size_t r = 0; r < ends.size(); r += 2) {
      const auto at = [&order](std::size_t i) { return order.begin() + static_cast<long>(i); };
      const std::size_t middle = ends[r];
      const std::size_t end = r + 1 < ends.size() ? ends[r + 1] : middle;
      std::merge(at(begin), at(middle), at(middle), at(end),
                 other.begin() + static_cast<long>(begin), less);
      merged.push_back(end);
      begin = end;
    }
    order.swap(other);
    ends.swap(merged);
  }
  return order;
}

/// The positions of `items` in the order of the names that `name` gives.
template <class Items, class Name>
[[nodiscard]] std::vector<std::uint32_t> name_order(const Items& items, Name name) {
  return merge_runs(items.size(), [&](std::uint32_t a, std::uint32_t b) {
    return std::invoke(name, items[a]) < std::invoke(name, items[b]);
  });
}

/// Sorts by name; items of one name keep their order.
template <class Item, class Name>
void sort_by_name(std::vector<Item>& items, Name name) {
  std::vector<std::uint32_t> order = name_order(items, name);
  // Follows each cycle of the permutation: the items are large, a second list of them is not made.
  for (std::uint32_t start = 0; start < order.size(); ++start) {
    if (order[start] == start) continue;
    Item first = std::move(items[start]);
    std::uint32_t at = start;
    while (order[at] != start) {
      const std::uint32_t from = order[at];
      items[at] = std::move(items[from]);
      order[at] = at;
      at = from;
    }
    items[at] = std::move(first);
    order[at] = at;
  }
}

}  // namespace ckpt::container
