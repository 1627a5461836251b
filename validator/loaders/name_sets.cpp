#include "validator/loaders/name_sets.h"

#include <algorithm>

namespace ckpt::loaders {

SubstringSet::SubstringSet(const std::vector<std::string>& names)
    : names_(names.begin(), names.end()) {
  for (const std::string& n : names_) lengths_.push_back(n.size());
  std::ranges::sort(lengths_);
  lengths_.erase(std::unique(lengths_.begin(), lengths_.end()), lengths_.end());
}

bool SubstringSet::any_in(std::string_view name) const {
  std::string part;
  for (const std::size_t length : lengths_) {
    if (length > name.size()) break;
    for (std::size_t at = 0; at + length <= name.size(); ++at) {
      part.assign(name.substr(at, length));
      if (names_.contains(part)) return true;
    }
  }
  return false;
}

bool SubstringSet::contains(std::string_view name) const {
  return names_.contains(std::string(name));
}

bool SubstringSet::ends(std::string_view name) const {
  return std::ranges::any_of(lengths_, [&](std::size_t length) {
    return length <= name.size() && contains(name.substr(name.size() - length));
  });
}

PathSet::PathSet(const std::vector<std::string>& names) : names_(names.begin(), names.end()) {}

bool PathSet::any_in(std::string_view name) const {
  for (std::size_t begin = 0; begin <= name.size();) {
    for (std::size_t end = name.find('.', begin);; end = name.find('.', end + 1)) {
      if (names_.contains(std::string(name.substr(begin, end - begin)))) return true;
      if (end == std::string_view::npos) break;
    }
    const std::size_t dot = name.find('.', begin);
    if (dot == std::string_view::npos) break;
    begin = dot + 1;
  }
  return false;
}

ContainerSet::ContainerSet(const std::vector<std::string>& names, std::string_view end) {
  // No module name is longer; a hostile list cannot make more of it than its own size.
  constexpr std::size_t kLongest = 96;
  const std::string back(end.rbegin(), end.rend());
  for (const std::string& n : names) {
    reversed_.append(n.rbegin(), n.rend());
    reversed_ += '\n';
  }
  const std::string_view all = reversed_;
  for (std::size_t at = all.find(back); at != std::string_view::npos; at = all.find(back, at + 1)) {
    const std::string_view head = all.substr(at, kLongest);
    heads_.push_back(head.substr(0, head.find('\n')));
  }
  std::ranges::sort(heads_);
}

bool ContainerSet::any_contains(std::string_view name) const {
  const std::string reversed(name.rbegin(), name.rend());
  const auto it = std::ranges::lower_bound(heads_, std::string_view(reversed));
  return it != heads_.end() && it->starts_with(reversed);
}

}  // namespace ckpt::loaders
