#include <EGL/egl.h>
#include <EGL/eglext.h>

#include "gui/window/gl.h"
#include "gui/window/library.h"

namespace ckpt::gui {
namespace {

/// EGL's functions, from the library of the system: the program starts without it.
struct Egl {
  decltype(&eglGetProcAddress) get_proc_address = nullptr;
  decltype(&eglInitialize) initialize = nullptr;
  decltype(&eglBindAPI) bind_api = nullptr;
  decltype(&eglChooseConfig) choose_config = nullptr;
  decltype(&eglCreatePbufferSurface) create_pbuffer = nullptr;
  decltype(&eglDestroySurface) destroy_surface = nullptr;
  decltype(&eglCreateContext) create_context = nullptr;
  decltype(&eglDestroyContext) destroy_context = nullptr;
  decltype(&eglMakeCurrent) make_current = nullptr;
  decltype(&eglTerminate) terminate = nullptr;
};

Result<Egl> load_egl() {
  void* library = dlopen("libEGL.so.1", RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) {
    return fail(ErrorKind::device, "libEGL.so.1 is missing (Debian: libegl1)");
  }
  Egl egl;
  const bool all = find_one(library, "eglGetProcAddress", egl.get_proc_address) &&
                   find_one(library, "eglInitialize", egl.initialize) &&
                   find_one(library, "eglBindAPI", egl.bind_api) &&
                   find_one(library, "eglChooseConfig", egl.choose_config) &&
                   find_one(library, "eglCreatePbufferSurface", egl.create_pbuffer) &&
                   find_one(library, "eglDestroySurface", egl.destroy_surface) &&
                   find_one(library, "eglCreateContext", egl.create_context) &&
                   find_one(library, "eglDestroyContext", egl.destroy_context) &&
                   find_one(library, "eglMakeCurrent", egl.make_current) &&
                   find_one(library, "eglTerminate", egl.terminate);
  if (!all) return fail(ErrorKind::device, "libEGL.so.1 lacks functions of EGL 1.4");
  return egl;
}

void* find_function(const char* name) {
  static const auto kGet = [] {
    void* library = dlopen("libEGL.so.1", RTLD_NOW | RTLD_LOCAL);
    decltype(&eglGetProcAddress) get = nullptr;
    if (library != nullptr) (void)find_one(library, "eglGetProcAddress", get);
    return get;
  }();
  return kGet == nullptr ? nullptr : reinterpret_cast<void*>(kGet(name));  // NOLINT
}

class Offscreen final : public Surface {
 public:
  Offscreen(const Egl& egl, EGLDisplay display, EGLConfig config, EGLContext context)
      : egl_(egl), display_(display), config_(config), context_(context) {}

  ~Offscreen() override {
    egl_.make_current(display_, EGL_NO_SURFACE, EGL_NO_SURFACE, EGL_NO_CONTEXT);
    if (surface_ != EGL_NO_SURFACE) egl_.destroy_surface(display_, surface_);
    egl_.destroy_context(display_, context_);
    egl_.terminate(display_);
  }

  [[nodiscard]] PixelSize size() const override { return size_; }

  void resize(PixelSize size) override {
    const std::array<EGLint, 5> attributes{EGL_WIDTH, size.width, EGL_HEIGHT, size.height,
                                           EGL_NONE};
    EGLSurface next = egl_.create_pbuffer(display_, config_, attributes.data());
    if (next == EGL_NO_SURFACE || egl_.make_current(display_, next, next, context_) != EGL_TRUE) {
      return;
    }
    if (surface_ != EGL_NO_SURFACE) egl_.destroy_surface(display_, surface_);
    surface_ = next;
    size_ = size;
  }

  [[nodiscard]] FindFunction finder() const override { return find_function; }

 private:
  Egl egl_;
  EGLDisplay display_;
  EGLConfig config_;
  EGLContext context_;
  EGLSurface surface_ = EGL_NO_SURFACE;
  PixelSize size_;
};

}  // namespace

Result<std::unique_ptr<Surface>> open_offscreen(PixelSize size) {
  CKPT_TRY(const Egl egl, load_egl(), "pictures need EGL");
  const auto get_display = reinterpret_cast<PFNEGLGETPLATFORMDISPLAYEXTPROC>(  // NOLINT
      egl.get_proc_address("eglGetPlatformDisplayEXT"));
  EGLDisplay display = get_display == nullptr ? EGL_NO_DISPLAY
                                              : get_display(EGL_PLATFORM_SURFACELESS_MESA,
                                                            EGL_DEFAULT_DISPLAY, nullptr);
  if (display == EGL_NO_DISPLAY || egl.initialize(display, nullptr, nullptr) != EGL_TRUE) {
    return fail(ErrorKind::device, "EGL has no surfaceless display (Debian: libegl-mesa0)");
  }
  constexpr std::array<EGLint, 13> kWanted{EGL_SURFACE_TYPE,
                                           EGL_PBUFFER_BIT,
                                           EGL_RENDERABLE_TYPE,
                                           EGL_OPENGL_BIT,
                                           EGL_RED_SIZE,
                                           8,
                                           EGL_GREEN_SIZE,
                                           8,
                                           EGL_BLUE_SIZE,
                                           8,
                                           EGL_ALPHA_SIZE,
                                           8,
                                           EGL_NONE};
  constexpr std::array<EGLint, 7> kVersion{EGL_CONTEXT_MAJOR_VERSION,
                                           3,
                                           EGL_CONTEXT_MINOR_VERSION,
                                           3,
                                           EGL_CONTEXT_OPENGL_PROFILE_MASK,
                                           EGL_CONTEXT_OPENGL_CORE_PROFILE_BIT,
                                           EGL_NONE};
  EGLConfig config = nullptr;
  EGLint n = 0;
  if (egl.bind_api(EGL_OPENGL_API) != EGL_TRUE ||
      egl.choose_config(display, kWanted.data(), &config, 1, &n) != EGL_TRUE || n < 1) {
    return fail(ErrorKind::device, "EGL offers no OpenGL on memory (Debian: libgl1-mesa-dri)");
  }
  EGLContext context = egl.create_context(display, config, EGL_NO_CONTEXT, kVersion.data());
  if (context == EGL_NO_CONTEXT) return fail(ErrorKind::device, "EGL makes no OpenGL 3.3 context");
  auto surface = std::make_unique<Offscreen>(egl, display, config, context);
  surface->resize(size);
  if (surface->size() != size) return fail(ErrorKind::device, "EGL makes no picture of that size");
  return surface;
}

}  // namespace ckpt::gui
