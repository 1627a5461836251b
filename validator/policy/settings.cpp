#include "validator/policy/settings.h"

#include <fmt/format.h>

#include <toml++/toml.h>
#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstdlib>
#include <filesystem>

#include "validator/base/file.h"
#include "validator/base/text.h"
#include "validator/policy/keys.h"
#include "validator/rules/rule.h"

namespace ckpt::policy {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kMostBytes = 1U << 20;
constexpr Day kLongestWaiver = 400;

/// Reads one file; the first problem ends it.
class Reader {
 public:
  Reader(std::string path, Day now) : path_(std::move(path)), now_(now) { s_.file = path_; }

  Result<Settings> run(const toml::table& root);

 private:
  std::string path_;
  Day now_;
  Settings s_;

  [[nodiscard]] auto problem(const toml::source_region& at, const std::string& what) const {
    return fail(ErrorKind::usage, fmt::format("{}:{}:{}: {}", shown(path_, 1000), at.begin.line,
                                              at.begin.column, what));
  }

  Result<void> known(const toml::table& table, const std::vector<std::string>& keys,
                     std::string_view where) const;
  Result<void> text(const toml::table& t, std::string_view key, std::optional<std::string>& to,
                    const std::vector<std::string>& allowed = {}) const;
  Result<void> number(const toml::table& t, std::string_view key,
                      std::optional<std::uint64_t>& to) const;
  Result<void> texts(const toml::table& t, std::string_view key,
                     std::vector<std::string>& to) const;
  Result<const toml::table*> section(const toml::table& root, std::string_view key) const;
  Result<void> listed(const toml::table& root, std::string_view name);
  Result<void> value(const toml::table& t, const Key& key);
  Result<void> severity(const toml::table& root);
  Result<void> gates(const toml::table& root);
  Result<void> waivers(const toml::table& root);
  Result<Waiver> waiver(const toml::table& t) const;
  Result<void> code(const std::string& code, const toml::source_region& at) const;
};

Result<void> Reader::known(const toml::table& table, const std::vector<std::string>& keys,
                           std::string_view where) const {
  for (const auto& [key, value] : table) {
    const std::string name(key.str());
    if (std::ranges::find(keys, name) != keys.end()) continue;
    const std::string_view near = nearest(name, keys);
    return problem(key.source(),
                   fmt::format("unknown key `{}`{}{}", shown(name, 80), where,
                               near.empty() ? fmt::format("; there are {}", fmt::join(keys, ", "))
                                            : fmt::format(", did you mean `{}`?", near)));
  }
  return {};
}

Result<void> Reader::text(const toml::table& t, std::string_view key,
                          std::optional<std::string>& to,
                          const std::vector<std::string>& allowed) const {
  const toml::node* n = t.get(key);
  if (n == nullptr) return {};
  const auto v = n->value_exact<std::string>();
  if (!v) return problem(n->source(), fmt::format("`{}` must be a string", key));
  if (!allowed.empty() && std::ranges::find(allowed, *v) == allowed.end()) {
    return problem(n->source(), fmt::format("`{}` is `{}`, it must be one of {}", key,
                                            shown(*v, 40), fmt::join(allowed, ", ")));
  }
  to = *v;
  return {};
}

Result<void> Reader::number(const toml::table& t, std::string_view key,
                            std::optional<std::uint64_t>& to) const {
  const toml::node* n = t.get(key);
  if (n == nullptr) return {};
  const auto v = n->value_exact<std::int64_t>();
  if (!v || *v < 0) return problem(n->source(), fmt::format("`{}` must be a whole number", key));
  to = static_cast<std::uint64_t>(*v);
  return {};
}

Result<void> Reader::texts(const toml::table& t, std::string_view key,
                           std::vector<std::string>& to) const {
  const toml::node* n = t.get(key);
  if (n == nullptr) return {};
  const toml::array* list = n->as_array();
  if (list == nullptr) return problem(n->source(), fmt::format("`{}` must be a list", key));
  for (const toml::node& item : *list) {
    const auto v = item.value_exact<std::string>();
    if (!v) return problem(item.source(), fmt::format("`{}` must hold strings", key));
    to.push_back(*v);
  }
  return {};
}

Result<const toml::table*> Reader::section(const toml::table& root, std::string_view key) const {
  static const toml::table kNone;
  const toml::node* n = root.get(key);
  if (n == nullptr) return &kNone;
  const toml::table* t = n->as_table();
  if (t == nullptr) return problem(n->source(), fmt::format("`{}` must be a table", key));
  return t;
}

Result<void> Reader::code(const std::string& code, const toml::source_region& at) const {
  if (rules::find_rule(code) != nullptr) return {};
  std::vector<std::string> all;
  for (const rules::Rule* r : rules::all_rules()) all.emplace_back(r->code);
  const std::string_view near = nearest(code, all);
  return problem(at, fmt::format("`{}` is no rule{}", shown(code, 40),
                                 near.empty() ? "" : fmt::format(", did you mean {}?", near)));
}

/// One section whose keys the table lists.
Result<void> Reader::listed(const toml::table& root, std::string_view name) {
  CKPT_TRY(const toml::table* t, section(root, name), "configuration");
  std::vector<std::string> names;
  for (const Key& k : setting_keys()) {
    if (k.section == name) names.emplace_back(k.name);
  }
  CKPT_TRY_VOID(known(*t, names, fmt::format(" in [{}]", name)), "configuration");
  for (const Key& k : setting_keys()) {
    if (k.section != name) continue;
    CKPT_TRY_VOID(value(*t, k), "configuration");
  }
  return {};
}

Result<void> Reader::value(const toml::table& t, const Key& key) {
  if (const auto* to = std::get_if<std::optional<std::string> Settings::*>(&key.to)) {
    return text(t, key.name, s_.**to, key.allowed);
  }
  if (const auto* to = std::get_if<std::optional<std::uint64_t> Settings::*>(&key.to)) {
    return number(t, key.name, s_.**to);
  }
  if (const auto* to = std::get_if<std::map<std::string, std::string> Settings::*>(&key.to)) {
    std::optional<std::string> one;
    CKPT_TRY_VOID(text(t, key.name, one, key.allowed), "configuration");
    if (one) (s_.**to)[std::string(key.name)] = *one;
    return {};
  }
  auto& list = s_.*std::get<std::vector<std::string> Settings::*>(key.to);
  CKPT_TRY_VOID(texts(t, key.name, list), "configuration");
  for (const std::string& word : list) {
    if (key.allowed.empty() || std::ranges::find(key.allowed, word) != key.allowed.end()) continue;
    return problem(t.get(key.name)->source(), fmt::format("`{}` is none of {}", shown(word, 40),
                                                          fmt::join(key.allowed, ", ")));
  }
  return {};
}

Result<void> Reader::severity(const toml::table& root) {
  CKPT_TRY(const toml::table* t, section(root, "severity"), "configuration");
  for (const auto& [key, value] : *t) {
    const std::string name(key.str());
    CKPT_TRY_VOID(code(name, key.source()), "configuration");
    std::optional<std::string> level;
    CKPT_TRY_VOID(text(*t, name, level, severity_words()), "configuration");
    s_.severity[name] = *level == "error"     ? results::Severity::error
                        : *level == "warning" ? results::Severity::warning
                                              : results::Severity::info;
  }
  return {};
}

Result<void> Reader::gates(const toml::table& root) {
  CKPT_TRY(const toml::table* t, section(root, "gates"), "configuration");
  for (const auto& [key, value] : *t) {
    std::optional<std::string> limit;
    CKPT_TRY_VOID(text(*t, key.str(), limit), "configuration");
    s_.gates.push_back(std::string(key.str()) + *limit);
  }
  return {};
}

Result<Waiver> Reader::waiver(const toml::table& t) const {
  std::vector<std::string> names;
  for (const WaiverKey& k : waiver_keys()) names.emplace_back(k.name);
  CKPT_TRY_VOID(known(t, names, " in [[waiver]]"), "configuration");
  Waiver w;
  w.line = t.source().begin.line;
  std::optional<std::string> value;
  CKPT_TRY_VOID(text(t, "code", value), "configuration");
  if (!value) return problem(t.source(), "a waiver needs a `code`");
  w.code = *value;
  CKPT_TRY_VOID(code(w.code, t.get("code")->source()), "configuration");
  value.reset();
  CKPT_TRY_VOID(text(t, "subject", value), "configuration");
  if (value) w.subject = *value;
  value.reset();
  CKPT_TRY_VOID(text(t, "reason", value), "configuration");
  if (!value || display_length(*value) < kShortestReason) {
    return problem(t.source(), fmt::format("a waiver needs a `reason` of {} characters or more",
                                           kShortestReason));
  }
  w.reason = *value;
  const toml::node* expires = t.get("expires");
  if (expires == nullptr) {
    return problem(t.source(), "a waiver needs `expires`, a date such as 2027-01-31, or \"never\"");
  }
  if (expires->value_exact<std::string>() == "never") return w;
  const auto date = expires->value_exact<toml::date>();
  if (!date) {
    return problem(expires->source(), "`expires` must be a date such as 2027-01-31, or \"never\"");
  }
  const std::chrono::year_month_day ymd{
      std::chrono::year(date->year), std::chrono::month(date->month), std::chrono::day(date->day)};
  w.expires = std::chrono::sys_days(ymd).time_since_epoch().count();
  if (*w.expires > now_ + kLongestWaiver) {
    return problem(expires->source(),
                   fmt::format("`expires` is more than {} days ahead", kLongestWaiver));
  }
  return w;
}

Result<void> Reader::waivers(const toml::table& root) {
  const toml::node* n = root.get("waiver");
  if (n == nullptr) return {};
  const toml::array* list = n->as_array();
  if (list == nullptr || !list->is_array_of_tables()) {
    return problem(n->source(), "`waiver` must be [[waiver]] tables");
  }
  for (const toml::node& item : *list) {
    CKPT_TRY(Waiver w, waiver(*item.as_table()), "configuration");
    s_.waivers.push_back(std::move(w));
  }
  return {};
}

Result<Settings> Reader::run(const toml::table& root) {
  CKPT_TRY_VOID(known(root, {"check", "recipe", "severity", "gates", "kl", "waiver"}, ""),
                "configuration");
  CKPT_TRY_VOID(listed(root, "check"), "configuration");
  CKPT_TRY_VOID(listed(root, "recipe"), "configuration");
  CKPT_TRY_VOID(severity(root), "configuration");
  CKPT_TRY_VOID(gates(root), "configuration");
  CKPT_TRY_VOID(listed(root, "kl"), "configuration");
  CKPT_TRY_VOID(waivers(root), "configuration");
  return std::move(s_);
}

}  // namespace

Day today() {
  constexpr std::int64_t kSeconds = 86'400;
  std::int64_t now = std::chrono::duration_cast<std::chrono::seconds>(
                         std::chrono::system_clock::now().time_since_epoch())
                         .count();
  if (const char* epoch = std::getenv("SOURCE_DATE_EPOCH"); epoch != nullptr) {
    std::int64_t told = 0;
    const std::string_view text(epoch);
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), told);
    if (error == std::errc{} && end == text.data() + text.size() && told >= 0) now = told;
  }
  return now / kSeconds;
}

std::string day_text(Day day) {
  const std::chrono::year_month_day d{
      std::chrono::sys_days{std::chrono::days{static_cast<int>(day)}}};
  return fmt::format("{:04}-{:02}-{:02}", static_cast<int>(d.year()),
                     static_cast<unsigned>(d.month()), static_cast<unsigned>(d.day()));
}

std::string find_settings(const std::string& folder) {
  std::error_code error;
  const char* home = std::getenv("HOME");
  for (fs::path at = fs::canonical(folder, error); !error; at = at.parent_path()) {
    if (fs::is_regular_file(at / kSettingsName, error)) return (at / kSettingsName).string();
    error.clear();
    const bool top = fs::exists(at / ".git", error) || (home != nullptr && at == fs::path(home));
    if (top || !at.has_relative_path()) break;
    error.clear();
  }
  return {};
}

Result<Settings> read_settings(const std::string& path, Day now) {
  CKPT_TRY(const File file, open_file(path), "configuration: " + shown(path, 1000));
  CKPT_TRY(const std::string content, read_text(file, kMostBytes), "configuration");
  try {
    const toml::table root = toml::parse(content);
    return Reader(path, now).run(root);
  } catch (const toml::parse_error& e) {
    return fail(ErrorKind::usage,
                fmt::format("{}:{}:{}: {}", shown(path, 1000), e.source().begin.line,
                            e.source().begin.column, shown(e.description())));
  }
}

}  // namespace ckpt::policy
