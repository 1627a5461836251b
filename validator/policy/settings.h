#pragma once
// ckpt-check.toml: what a project has decided about its checks (interfaces, section 6).

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "validator/base/result.h"
#include "validator/results/results.h"

namespace ckpt::policy {

/// Days since 1970-01-01, UTC.
using Day = std::int64_t;

/// Today, or the day of SOURCE_DATE_EPOCH when it is set.
[[nodiscard]] Day today();
[[nodiscard]] std::string day_text(Day day);  ///< `2027-01-31`

/// A finding that somebody decided to live with, and until when.
struct Waiver {
  std::string code;            ///< exact
  std::string subject = "*";   ///< glob over the finding's subject
  std::string reason;          ///< at least 10 characters
  std::optional<Day> expires;  ///< none: never
  std::uint32_t line = 0;      ///< of the table in the file
};

struct Settings {
  std::string file;  ///< where they come from, empty without a file
  std::optional<std::string> fail_on;
  std::vector<std::string> loaders;
  std::vector<std::string> select;
  std::vector<std::string> extend_select;
  std::vector<std::string> ignore;
  std::optional<std::string> gpu;
  std::optional<std::string> gpu_memory;
  std::optional<std::uint64_t> tensor_parallel;
  std::optional<std::uint64_t> expert_parallel;
  std::optional<std::string> base;
  std::map<std::string, results::Severity> severity;  ///< by exact code
  std::map<std::string, std::string> recipe;          ///< as written, see rules/recipe.h
  std::vector<std::string> gates;                     ///< `kl.mean<=0.014`
  std::optional<std::string> reference;
  std::optional<std::string> text;
  std::optional<std::uint64_t> tokens;
  std::optional<std::uint64_t> context;
  std::optional<std::string> mode;
  std::vector<Waiver> waivers;
};

/// Characters that the reason of a waiver must have.
inline constexpr std::size_t kShortestReason = 10;

inline constexpr const char* kSettingsName = "ckpt-check.toml";

/// The file that holds from `folder` on: in it or above it, up to the root of its git repository or
/// the home folder. Empty when there is none.
[[nodiscard]] std::string find_settings(const std::string& folder);

/// Reads and judges one file. Errors: io; usage, with line and column, for TOML that cannot be
/// parsed, unknown keys (the nearest known one is named), wrong types, waivers without code, reason
/// or expiry, expiries more than 400 days ahead of `now`.
[[nodiscard]] Result<Settings> read_settings(const std::string& path, Day now);

}  // namespace ckpt::policy
