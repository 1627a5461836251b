#include "gui/state/remembered.h"

#include <fmt/format.h>

#include <cstdlib>

#include "validator/base/text.h"

namespace ckpt::gui {

std::string remembered_path() {
  const char* state = std::getenv("XDG_STATE_HOME");  // NOLINT(concurrency-mt-unsafe)
  if (state != nullptr && *state == '/') return std::string(state) + "/ckpt-check/gui.toml";
  const char* home = std::getenv("HOME");  // NOLINT(concurrency-mt-unsafe)
  if (home == nullptr || *home != '/') return {};
  return std::string(home) + "/.local/state/ckpt-check/gui.toml";
}

std::string to_toml(const Remembered& s) {
  return fmt::format("width = {}\nheight = {}\ntheme = \"{}\"\nscale_percent = {}\n", s.size.width,
                     s.size.height, s.dark ? "dark" : "light", static_cast<int>(s.scale * 100));
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
    const std::size_t equal = line.find(" = ");
    if (equal == std::string_view::npos) continue;
    const std::string_view key = line.substr(0, equal);
    const std::string_view value = line.substr(equal + 3);
    if (key == "width") take(value, 320, 16384, out.size.width);
    if (key == "height") take(value, 200, 16384, out.size.height);
    if (key == "scale_percent") take(value, 50, 400, percent);
    if (key == "theme") out.dark = value != "\"light\"";
  }
  out.scale = static_cast<float>(percent) / 100;
  return out;
}

}  // namespace ckpt::gui
