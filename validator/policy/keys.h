#pragma once
// The keys of ckpt-check.toml, once: the reader, its complaints and the JSON Schema go by this
// table.

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "validator/policy/settings.h"

namespace ckpt::policy {

/// Where the value of a key goes; its type is the type that the file must have.
using KeyTarget =
    std::variant<std::optional<std::string> Settings::*, std::optional<std::uint64_t> Settings::*,
                 std::vector<std::string> Settings::*,
                 std::map<std::string, std::string> Settings::*>;

/// One key of `[section]`.
struct Key {
  std::string_view section;
  std::string_view name;
  KeyTarget to;
  std::vector<std::string> allowed;  ///< values, or those of the list's elements; empty: any
  std::string_view what;             ///< for the schema
};

/// Every key of the tables with fixed keys, by section and in the order of the documentation.
[[nodiscard]] std::span<const Key> setting_keys();

/// One key of a `[[waiver]]` table. All values are strings, but `expires` may be a date.
struct WaiverKey {
  std::string_view name;
  bool required = false;
  std::string_view what;
};

[[nodiscard]] std::span<const WaiverKey> waiver_keys();

/// The words for severities, and for loaders.
[[nodiscard]] const std::vector<std::string>& severity_words();
[[nodiscard]] const std::vector<std::string>& loader_words();

}  // namespace ckpt::policy
