#pragma once
// A script that uses the viewer as a person would, one line at a time.

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "gui/views/screen.h"

namespace ckpt::gui {

/// What a script needs of whatever shows the frames.
struct ScriptHost {
  /// Shows one frame and takes in what workers have finished.
  std::function<void()> frame;
  /// Writes the frame that was shown last as PNG. Errors: io, unsupported (nothing shows frames).
  std::function<Result<void>(const std::string& path)> screenshot;
  std::function<void(PixelSize)> resize;
  std::function<PixelSize()> size;
};

/// Runs `text`. Lines: `action ID`, `click LABEL`, `hover LABEL`, `key CHORD`, `type TEXT`,
/// `select NAME`, `filter TEXT`, `wheel N`, `size WxH`, `wait` (until nothing is left to do),
/// `screenshot FILE`, `expect WIDGET-LABEL`; `#` begins a comment. Errors: usage with the line that
/// could not be done; as the host's screenshot.
[[nodiscard]] Result<void> run_script(const std::string& text, App& app, Screen& screen,
                                      const ScriptHost& host);

/// Frames until nothing is queued and what arrived has been drawn; gives up after `seconds`.
bool settle(App& app, const ScriptHost& host, double seconds = 60);

}  // namespace ckpt::gui
