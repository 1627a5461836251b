#include "gui/window/gl.h"

#include <GL/gl.h>
#include <imgui/backends/imgui_impl_opengl3.h>
#include <imgui/imgui.h>

#include <algorithm>

namespace ckpt::gui {
namespace {

struct Functions {
  decltype(&glGenTextures) gen_textures = nullptr;
  decltype(&glBindTexture) bind_texture = nullptr;
  decltype(&glTexImage2D) tex_image = nullptr;
  decltype(&glTexParameteri) tex_parameter = nullptr;
  decltype(&glReadPixels) read_pixels = nullptr;
  decltype(&glPixelStorei) pixel_store = nullptr;
  decltype(&glViewport) viewport = nullptr;
  decltype(&glClearColor) clear_color = nullptr;
  decltype(&glClear) clear = nullptr;
  decltype(&glFinish) finish = nullptr;
};

template <class F>
bool find_one(FindFunction find, const char* name, F& to) {
  to = reinterpret_cast<F>(find(name));  // NOLINT: the loader's interface is untyped
  return to != nullptr;
}

class GlRenderer final : public Renderer, public Textures {
 public:
  explicit GlRenderer(const Functions& gl) : gl_(gl) {}

  Textures& textures() override { return *this; }

  void* upload(std::size_t slot, const Picture& picture) override {
    if (picture.pixels.empty() || slot >= slots_.size()) return nullptr;
    GLuint& texture = slots_[slot];
    if (texture == 0) gl_.gen_textures(1, &texture);
    gl_.bind_texture(GL_TEXTURE_2D, texture);
    gl_.tex_parameter(GL_TEXTURE_2D, GL_TEXTURE_MIN_FILTER, GL_NEAREST);
    gl_.tex_parameter(GL_TEXTURE_2D, GL_TEXTURE_MAG_FILTER, GL_NEAREST);
    gl_.pixel_store(GL_UNPACK_ALIGNMENT, 1);
    gl_.tex_image(GL_TEXTURE_2D, 0, GL_RGBA, picture.size.width, picture.size.height, 0, GL_RGBA,
                  GL_UNSIGNED_BYTE, picture.pixels.data());
    return reinterpret_cast<void*>(static_cast<std::uintptr_t>(texture));  // NOLINT: as ImGui says
  }

  void render(PixelSize size) override {
    gl_.viewport(0, 0, size.width, size.height);
    gl_.clear_color(0, 0, 0, 1);
    gl_.clear(GL_COLOR_BUFFER_BIT);
    ImGui_ImplOpenGL3_RenderDrawData(ImGui::GetDrawData());
  }

  void finish() override { gl_.finish(); }

  Picture read(PixelSize size) override {
    Picture picture;
    picture.size = size;
    picture.pixels.resize(static_cast<std::size_t>(size.width) *
                          static_cast<std::size_t>(size.height));
    gl_.pixel_store(GL_PACK_ALIGNMENT, 1);
    gl_.read_pixels(0, 0, size.width, size.height, GL_RGBA, GL_UNSIGNED_BYTE,
                    picture.pixels.data());
    const auto width = static_cast<std::ptrdiff_t>(size.width);
    for (std::ptrdiff_t top = 0, bottom = size.height - 1; top < bottom; ++top, --bottom) {
      std::swap_ranges(picture.pixels.begin() + top * width,
                       picture.pixels.begin() + (top + 1) * width,
                       picture.pixels.begin() + bottom * width);
    }
    for (Rgba& p : picture.pixels) p.a = 255;
    return picture;
  }

 private:
  Functions gl_;
  std::array<GLuint, kSlots> slots_{};
};

}  // namespace

Result<std::unique_ptr<Renderer>> make_renderer(FindFunction find) {
  Functions gl;
  const bool all = find_one(find, "glGenTextures", gl.gen_textures) &&
                   find_one(find, "glBindTexture", gl.bind_texture) &&
                   find_one(find, "glTexImage2D", gl.tex_image) &&
                   find_one(find, "glTexParameteri", gl.tex_parameter) &&
                   find_one(find, "glReadPixels", gl.read_pixels) &&
                   find_one(find, "glPixelStorei", gl.pixel_store) &&
                   find_one(find, "glViewport", gl.viewport) &&
                   find_one(find, "glClearColor", gl.clear_color) &&
                   find_one(find, "glClear", gl.clear) && find_one(find, "glFinish", gl.finish);
  if (!all) return fail(ErrorKind::device, "OpenGL 3 is missing");
  return std::make_unique<GlRenderer>(gl);
}

Result<void> attach_renderer() {
  if (!ImGui_ImplOpenGL3_Init("#version 130"))
    return fail(ErrorKind::device, "OpenGL 3 is missing");
  ImGui_ImplOpenGL3_NewFrame();
  return {};
}

void detach_renderer() {
  ImGui_ImplOpenGL3_Shutdown();
}

}  // namespace ckpt::gui
