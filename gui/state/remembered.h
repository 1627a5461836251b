#pragma once
// What the viewer remembers from one time to the next, as a small TOML file.

#include <string>
#include <string_view>
#include <vector>

#include "gui/state/session.h"
#include "gui/state/viewport.h"

namespace ckpt::gui {

inline constexpr std::size_t kMostRecent = 10;

struct Remembered {
  PixelSize size{1280, 800};
  bool dark = true;
  float scale = 1;
  std::vector<OpenArgs> recent;  ///< what was opened, the latest first
};

/// Puts `args` first, once; what is beyond kMostRecent falls out.
void add_recent(std::vector<OpenArgs>& recent, const OpenArgs& args);
/// `args` as they hold in any working directory: paths that are there become absolute.
[[nodiscard]] OpenArgs anywhere(OpenArgs args);
/// One line that is safe to show.
[[nodiscard]] std::string recent_text(const OpenArgs& args);

/// `$XDG_STATE_HOME/ckpt-check/gui.toml`, else below `~/.local/state`; empty without a home.
[[nodiscard]] std::string remembered_path();
/// Names that are no UTF-8 have no place in TOML and are left out.
[[nodiscard]] std::string to_toml(const Remembered& state);
/// Reads what to_toml wrote; lines that are none of ours, or out of range, keep the default.
[[nodiscard]] Remembered from_toml(std::string_view text);

}  // namespace ckpt::gui
