#include "gui/window/run.h"

namespace ckpt::gui {

std::string why_no_viewer() {
  return CKPT_GUI_MISSING_PACKAGES;
}

Result<void> run_viewer(const RunArgs&) {
  return fail(ErrorKind::unsupported, "this build has no viewer: " + why_no_viewer());
}

}  // namespace ckpt::gui
