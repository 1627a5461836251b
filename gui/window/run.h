#pragma once
// The viewer as a program: in a window, or without a display for pictures and scripts.

#include <cstdint>
#include <string>

#include "gui/state/session.h"

namespace ckpt::gui {

struct RunArgs {
  OpenArgs open;
  std::string
      select;        ///< tensor, finding's fingerprint or code, `layer 3`, `expert 3 17`, `token 1`
  std::string view;  ///< id of a canvas; empty: what fits the selection
  std::string screenshot;  ///< PNG to write once all is read; no window is opened
  std::string size;        ///< `WxH`; empty: 1280x800
  std::string script;      ///< file of commands; no window is opened
  std::string theme;       ///< `dark`, `light`; empty: as remembered
  std::string runs;        ///< folder where `kl` keeps its runs; not looked at with no_state
  bool builtin_font = false;
  bool no_state = false;  ///< neither read nor write the state file
  bool timing = false;    ///< say on standard error when the first frame was shown
  std::uint64_t cache_bytes = 512ULL << 20;
  unsigned threads = 0;  ///< workers; 0: one per processor
};

/// Empty, or why this build has no viewer: the packages that were missing.
[[nodiscard]] std::string why_no_viewer();

/// Runs until the viewer is closed or the script ends. Errors: unsupported (no viewer in this
/// build), device (no display, or no OpenGL; with a hint), usage (size, view, selection, script),
/// io.
[[nodiscard]] Result<void> run_viewer(const RunArgs& args);

}  // namespace ckpt::gui
