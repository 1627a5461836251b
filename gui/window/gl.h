#pragma once
// The few functions of OpenGL that the window needs itself, found at run time.

#include <memory>

#include "gui/views/ui.h"

namespace ckpt::gui {

/// Finds a function of the driver by name; null when it has none.
using FindFunction = void* (*)(const char* name);

/// Draws ImGui's data into the current context. Made and used while that context is current.
class Renderer {
 public:
  virtual ~Renderer() = default;
  [[nodiscard]] virtual Textures& textures() = 0;
  /// Clears the framebuffer and draws the frame that ImGui has.
  virtual void render(PixelSize framebuffer) = 0;
  /// Waits until the driver has drawn all of it. Without a window nobody swaps buffers, and the
  /// driver would keep the commands and vertices of every frame.
  virtual void finish() = 0;
  /// What the framebuffer holds, top row first.
  [[nodiscard]] virtual Picture read(PixelSize framebuffer) = 0;
};

/// Errors: device (OpenGL 3 is missing).
[[nodiscard]] Result<std::unique_ptr<Renderer>> make_renderer(FindFunction find);
/// To be called once ImGui's context exists. Errors: device.
[[nodiscard]] Result<void> attach_renderer();
void detach_renderer();

/// What shows frames: a window, or memory. The OpenGL context is current in the calling thread.
class Surface {
 public:
  virtual ~Surface() = default;
  [[nodiscard]] virtual PixelSize size() const = 0;
  virtual void resize(PixelSize size) = 0;
  [[nodiscard]] virtual FindFunction finder() const = 0;

  [[nodiscard]] virtual float content_scale() const { return 1; }
};

/// Memory, through EGL without any display. Errors: device.
[[nodiscard]] Result<std::unique_ptr<Surface>> open_offscreen(PixelSize size);

}  // namespace ckpt::gui
