#pragma once

#include <string>
#include <vector>

#include "validator/cli/options.h"

namespace ckpt::cli {

struct GuiOptions {
  std::vector<std::string> open;  ///< TARGET and RESULTS, in either order
  std::string reference;
  std::string select;
  std::string view;
  std::string screenshot;
  std::string size;
  std::string script;
  std::string theme;
  std::string cache = "512M";
  std::string font = "auto";
  bool no_state = false;
};

[[nodiscard]] CLI::App* add_gui_command(CLI::App& app, GuiOptions& options);
/// Returns the exit code: 2 when there is no viewer in this build, no display, or nothing to open.
[[nodiscard]] int run_gui_command(const GlobalOptions& global, const GuiOptions& options);

}  // namespace ckpt::cli
