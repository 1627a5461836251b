#pragma once
// Lists of names from a config, asked "does one of them occur in this module name?" in time that
// does not grow with the list.

#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

namespace ckpt::loaders {

/// Names looked for as substrings (`any(x in name for x in list)`).
class SubstringSet {
 public:
  explicit SubstringSet(const std::vector<std::string>& names);

  [[nodiscard]] bool any_in(std::string_view name) const;
  /// True when `name` itself is listed.
  [[nodiscard]] bool contains(std::string_view name) const;
  /// True when a listed name is the end of `name` (`str.endswith`).
  [[nodiscard]] bool ends(std::string_view name) const;

 private:
  std::unordered_set<std::string> names_;
  std::vector<std::size_t> lengths_;  ///< distinct, ascending
};

/// Names looked for as whole runs of dotted parts (`mlp.gate` in `a.mlp.gate.b`).
class PathSet {
 public:
  explicit PathSet(const std::vector<std::string>& names);

  [[nodiscard]] bool any_in(std::string_view name) const;

 private:
  std::unordered_set<std::string> names_;
};

/// Asks whether a name is contained in one of the listed ones; only for names that end with `end`.
class ContainerSet {
 public:
  ContainerSet(const std::vector<std::string>& names, std::string_view end);
  ContainerSet(const ContainerSet&) = delete;  // the heads point into the names
  ContainerSet& operator=(const ContainerSet&) = delete;

  [[nodiscard]] bool any_contains(std::string_view name) const;

 private:
  std::string reversed_;                 ///< all names, back to front
  std::vector<std::string_view> heads_;  ///< from each `end` to the front of its name, sorted
};

}  // namespace ckpt::loaders
