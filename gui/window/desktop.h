#pragma once
// A real window through GLFW.

#include <memory>

#include "gui/views/screen.h"
#include "gui/window/gl.h"

namespace ckpt::gui {

class Window : public Surface {
 public:
  /// Gives input to `screen` from now on.
  virtual void connect(Screen& screen) = 0;
  /// Waits for input or until `seconds` have passed, and hands it on.
  virtual void wait(double seconds) = 0;
  virtual void swap() = 0;
  [[nodiscard]] virtual bool closed() const = 0;
};

/// Errors: device (no display, no GLFW, no OpenGL 3.3).
[[nodiscard]] Result<std::unique_ptr<Window>> open_window(PixelSize size);
/// Ends a wait() early; from any thread.
void wake_window();

}  // namespace ckpt::gui
