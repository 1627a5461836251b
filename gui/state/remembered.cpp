#include "gui/state/remembered.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <optional>

#include "validator/base/json.h"
#include "validator/base/text.h"

namespace ckpt::gui {
namespace {

constexpr std::size_t kMostBytes = 4096;  // of one name

/// The name in a TOML basic string, or empty. What our JSON strings escape means the same there.
std::optional<std::string> unquoted_toml(std::string_view text) {
  const auto document = json::parse(std::string(text));
  const auto name = document ? (*document)->root().string() : std::nullopt;
  if (!name || name->size() > kMostBytes || name->find('\0') != std::string::npos) {
    return std::nullopt;
  }
  return std::string(*name);
}

/// A TOML basic string; empty for what cannot be read again, such as bytes that are no UTF-8.
std::optional<std::string> quoted_toml(std::string_view text) {
  std::string out;
  for (const char c : json::quoted(text)) {
    if (c == 0x7f)
      out += "\\u007f";
    else
      out += c;
  }
  return unquoted_toml(out) == std::string(text) ? std::optional(out) : std::nullopt;
}

void make_absolute(std::string& path) {
  std::error_code error;
  if (path.empty() || !std::filesystem::exists(path, error)) return;
  const auto absolute = std::filesystem::absolute(path, error);
  if (!error) path = absolute.lexically_normal().string();
}

}  // namespace

void add_recent(std::vector<OpenArgs>& recent, const OpenArgs& args) {
  if (args.empty()) return;
  const OpenArgs first = args;  // it may be one of them
  std::erase(recent, first);
  recent.insert(recent.begin(), first);
  if (recent.size() > kMostRecent) recent.resize(kMostRecent);
}

OpenArgs anywhere(OpenArgs args) {
  for (std::string* path : {&args.target, &args.results, &args.reference}) make_absolute(*path);
  return args;
}

std::string recent_text(const OpenArgs& args) {
  std::string out = shown(args.target.empty() ? args.results : args.target, 120);
  if (!args.target.empty() && !args.results.empty()) out += "  " + shown(args.results, 80);
  if (!args.reference.empty()) out += "  against " + shown(args.reference, 80);
  return out;
}

std::string remembered_path() {
  const char* state = std::getenv("XDG_STATE_HOME");  // NOLINT(concurrency-mt-unsafe)
  if (state != nullptr && *state == '/') return std::string(state) + "/ckpt-check/gui.toml";
  const char* home = std::getenv("HOME");  // NOLINT(concurrency-mt-unsafe)
  if (home == nullptr || *home != '/') return {};
  return std::string(home) + "/.local/state/ckpt-check/gui.toml";
}

std::string to_toml(const Remembered& s) {
  std::string out =
      fmt::format("width = {}\nheight = {}\ntheme = \"{}\"\nscale_percent = {}\n", s.size.width,
                  s.size.height, s.dark ? "dark" : "light", static_cast<int>(s.scale * 100));
  for (const OpenArgs& r : s.recent) {
    const auto target = quoted_toml(r.target);
    const auto results = quoted_toml(r.results);
    const auto reference = quoted_toml(r.reference);
    if (!target || !results || !reference) continue;
    out += fmt::format("\n[[recent]]\ntarget = {}\nresults = {}\nreference = {}\n", *target,
                       *results, *reference);
  }
  return out;
}

Remembered from_toml(std::string_view text) {
  Remembered out;
  const auto take = [](std::string_view value, int low, int high, int& to) {
    const int number = parse_index(value);
    if (number >= low && number <= high) to = number;
  };
  int percent = 100;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line == "[[recent]]") out.recent.emplace_back();
    const std::size_t equal = line.find(" = ");
    if (equal == std::string_view::npos) continue;
    const std::string_view key = line.substr(0, equal);
    const std::string_view value = line.substr(equal + 3);
    if (!out.recent.empty()) {
      OpenArgs& r = out.recent.back();
      const auto name = unquoted_toml(value);
      if (key == "target") r.target = name.value_or("");
      if (key == "results") r.results = name.value_or("");
      if (key == "reference") r.reference = name.value_or("");
      continue;
    }
    if (key == "width") take(value, 320, 16384, out.size.width);
    if (key == "height") take(value, 200, 16384, out.size.height);
    if (key == "scale_percent") take(value, 50, 400, percent);
    if (key == "theme") out.dark = value != "\"light\"";
  }
  out.scale = static_cast<float>(percent) / 100;
  std::erase_if(out.recent, [](const OpenArgs& r) { return r.empty(); });
  if (out.recent.size() > kMostRecent) out.recent.resize(kMostRecent);
  return out;
}

}  // namespace ckpt::gui
