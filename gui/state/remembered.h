#pragma once
// What the viewer remembers from one time to the next, as a small TOML file.

#include <string>
#include <string_view>

#include "gui/state/viewport.h"

namespace ckpt::gui {

struct Remembered {
  PixelSize size{1280, 800};
  bool dark = true;
  float scale = 1;
};

/// `$XDG_STATE_HOME/ckpt-check/gui.toml`, else below `~/.local/state`; empty without a home.
[[nodiscard]] std::string remembered_path();
[[nodiscard]] std::string to_toml(const Remembered& state);
/// Reads what to_toml wrote; lines that are none of ours, or out of range, keep the default.
[[nodiscard]] Remembered from_toml(std::string_view text);

}  // namespace ckpt::gui
