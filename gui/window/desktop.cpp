#include "gui/window/desktop.h"

#include <GLFW/glfw3.h>
#include <imgui/imgui.h>

#include <algorithm>
#include <atomic>

#include "gui/window/library.h"

namespace ckpt::gui {
namespace {

/// GLFW's functions, from the library of the system: the program starts without it.
struct Glfw {
  decltype(&glfwInit) init = nullptr;
  decltype(&glfwTerminate) terminate = nullptr;
  decltype(&glfwGetError) get_error = nullptr;
  decltype(&glfwWindowHint) window_hint = nullptr;
  decltype(&glfwCreateWindow) create_window = nullptr;
  decltype(&glfwDestroyWindow) destroy_window = nullptr;
  decltype(&glfwMakeContextCurrent) make_current = nullptr;
  decltype(&glfwSwapInterval) swap_interval = nullptr;
  decltype(&glfwSwapBuffers) swap_buffers = nullptr;
  decltype(&glfwWaitEventsTimeout) wait_events = nullptr;
  decltype(&glfwPostEmptyEvent) post_empty_event = nullptr;
  decltype(&glfwWindowShouldClose) should_close = nullptr;
  decltype(&glfwGetFramebufferSize) framebuffer_size = nullptr;
  decltype(&glfwSetWindowSize) set_window_size = nullptr;
  decltype(&glfwGetWindowContentScale) content_scale = nullptr;
  decltype(&glfwGetProcAddress) get_proc_address = nullptr;
  decltype(&glfwSetWindowUserPointer) set_user_pointer = nullptr;
  decltype(&glfwGetWindowUserPointer) get_user_pointer = nullptr;
  decltype(&glfwSetKeyCallback) on_key = nullptr;
  decltype(&glfwSetCharCallback) on_char = nullptr;
  decltype(&glfwSetMouseButtonCallback) on_button = nullptr;
  decltype(&glfwSetCursorPosCallback) on_cursor = nullptr;
  decltype(&glfwSetScrollCallback) on_scroll = nullptr;
  decltype(&glfwSetClipboardString) set_clipboard = nullptr;
  decltype(&glfwGetClipboardString) get_clipboard = nullptr;
  bool complete = false;
};

Glfw load_glfw() {
  Glfw g;
  void* library = dlopen("libglfw.so.3", RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) return g;
  g.complete = find_one(library, "glfwInit", g.init) &&
               find_one(library, "glfwTerminate", g.terminate) &&
               find_one(library, "glfwGetError", g.get_error) &&
               find_one(library, "glfwWindowHint", g.window_hint) &&
               find_one(library, "glfwCreateWindow", g.create_window) &&
               find_one(library, "glfwDestroyWindow", g.destroy_window) &&
               find_one(library, "glfwMakeContextCurrent", g.make_current) &&
               find_one(library, "glfwSwapInterval", g.swap_interval) &&
               find_one(library, "glfwSwapBuffers", g.swap_buffers) &&
               find_one(library, "glfwWaitEventsTimeout", g.wait_events) &&
               find_one(library, "glfwPostEmptyEvent", g.post_empty_event) &&
               find_one(library, "glfwWindowShouldClose", g.should_close) &&
               find_one(library, "glfwGetFramebufferSize", g.framebuffer_size) &&
               find_one(library, "glfwSetWindowSize", g.set_window_size) &&
               find_one(library, "glfwGetWindowContentScale", g.content_scale) &&
               find_one(library, "glfwGetProcAddress", g.get_proc_address) &&
               find_one(library, "glfwSetWindowUserPointer", g.set_user_pointer) &&
               find_one(library, "glfwGetWindowUserPointer", g.get_user_pointer) &&
               find_one(library, "glfwSetKeyCallback", g.on_key) &&
               find_one(library, "glfwSetCharCallback", g.on_char) &&
               find_one(library, "glfwSetMouseButtonCallback", g.on_button) &&
               find_one(library, "glfwSetCursorPosCallback", g.on_cursor) &&
               find_one(library, "glfwSetScrollCallback", g.on_scroll) &&
               find_one(library, "glfwSetClipboardString", g.set_clipboard) &&
               find_one(library, "glfwGetClipboardString", g.get_clipboard);
  return g;
}

/// Loaded once: GLFW itself is one per process.
const Glfw& glfw() {
  static const Glfw kGlfw = load_glfw();
  return kGlfw;
}

Key key_of(int key) {
  static constexpr std::array<std::pair<int, Key>, 18> kKeys{{{GLFW_KEY_TAB, Key::tab},
                                                              {GLFW_KEY_LEFT, Key::left},
                                                              {GLFW_KEY_RIGHT, Key::right},
                                                              {GLFW_KEY_UP, Key::up},
                                                              {GLFW_KEY_DOWN, Key::down},
                                                              {GLFW_KEY_PAGE_UP, Key::page_up},
                                                              {GLFW_KEY_PAGE_DOWN, Key::page_down},
                                                              {GLFW_KEY_HOME, Key::home},
                                                              {GLFW_KEY_END, Key::end},
                                                              {GLFW_KEY_INSERT, Key::insert},
                                                              {GLFW_KEY_DELETE, Key::del},
                                                              {GLFW_KEY_BACKSPACE, Key::backspace},
                                                              {GLFW_KEY_ENTER, Key::enter},
                                                              {GLFW_KEY_KP_ENTER, Key::enter},
                                                              {GLFW_KEY_ESCAPE, Key::escape},
                                                              {GLFW_KEY_F1, Key::f1},
                                                              {GLFW_KEY_F8, Key::f8},
                                                              {GLFW_KEY_UNKNOWN, Key::none}}};
  const auto at = std::ranges::find(kKeys, key, &std::pair<int, Key>::first);
  if (at != kKeys.end()) return at->second;
  // GLFW numbers printable keys by their ASCII code.
  return key > ' ' && key <= '~' ? Key::letter : Key::none;
}

class GlfwSurface final : public Window {
 public:
  explicit GlfwSurface(GLFWwindow* window) : window_(window) {}

  ~GlfwSurface() override {
    glfw().destroy_window(window_);
    glfw().terminate();
  }

  [[nodiscard]] PixelSize size() const override {
    PixelSize s;
    glfw().framebuffer_size(window_, &s.width, &s.height);
    return s;
  }

  void resize(PixelSize size) override { glfw().set_window_size(window_, size.width, size.height); }

  [[nodiscard]] FindFunction finder() const override {
    return [](const char* name) {
      return reinterpret_cast<void*>(glfw().get_proc_address(name));  // NOLINT
    };
  }

  [[nodiscard]] float content_scale() const override {
    float x = 1;
    float y = 1;
    glfw().content_scale(window_, &x, &y);
    return std::clamp(x, 0.5F, 4.F);
  }

  void connect(Screen& screen) override {
    screen_ = &screen;
    glfw().set_user_pointer(window_, this);
    glfw().on_key(window_, [](GLFWwindow* w, int key, int, int action, int mods) {
      KeyEvent e{key_of(key),
                 0,
                 action != GLFW_RELEASE,
                 (mods & GLFW_MOD_CONTROL) != 0,
                 (mods & GLFW_MOD_SHIFT) != 0,
                 (mods & GLFW_MOD_ALT) != 0};
      if (e.key == Key::letter) e.symbol = static_cast<char>(key);
      of(w).key(e);
    });
    glfw().on_char(window_, [](GLFWwindow* w, unsigned c) { of(w).type(c); });
    glfw().on_button(window_, [](GLFWwindow* w, int button, int action, int) {
      of(w).mouse_button(button, action == GLFW_PRESS);
    });
    glfw().on_cursor(window_, [](GLFWwindow* w, double x, double y) {
      of(w).mouse_move(static_cast<float>(x), static_cast<float>(y));
    });
    glfw().on_scroll(window_,
                     [](GLFWwindow* w, double, double y) { of(w).wheel(static_cast<float>(y)); });
    ImGuiIO& io = ImGui::GetIO();
    io.ClipboardUserData = window_;
    io.SetClipboardTextFn = [](void* w, const char* text) {
      glfw().set_clipboard(static_cast<GLFWwindow*>(w), text);
    };
    io.GetClipboardTextFn = [](void* w) {
      return glfw().get_clipboard(static_cast<GLFWwindow*>(w));
    };
  }

  void wait(double seconds) override { glfw().wait_events(seconds); }

  void swap() override { glfw().swap_buffers(window_); }

  [[nodiscard]] bool closed() const override { return glfw().should_close(window_) != 0; }

 private:
  static Screen& of(GLFWwindow* w) {
    return *static_cast<GlfwSurface*>(glfw().get_user_pointer(w))->screen_;
  }

  GLFWwindow* window_;
  Screen* screen_ = nullptr;
};

/// Whether GLFW runs, so that workers may wake it.
std::atomic<bool>& running() {
  static std::atomic<bool> value{false};
  return value;
}

std::string last_error() {
  const char* text = nullptr;
  (void)glfw().get_error(&text);
  return text == nullptr ? "no reason given" : text;
}

}  // namespace

Result<std::unique_ptr<Window>> open_window(PixelSize size) {
  const Glfw& g = glfw();
  if (!g.complete) {
    return fail(ErrorKind::device, "libglfw.so.3 is missing (Debian: libglfw3)");
  }
  if (g.init() != GLFW_TRUE) return fail(ErrorKind::device, "no display: " + last_error());
  g.window_hint(GLFW_CONTEXT_VERSION_MAJOR, 3);
  g.window_hint(GLFW_CONTEXT_VERSION_MINOR, 3);
  g.window_hint(GLFW_OPENGL_PROFILE, GLFW_OPENGL_CORE_PROFILE);
  g.window_hint(GLFW_OPENGL_FORWARD_COMPAT, GLFW_TRUE);
  GLFWwindow* window = g.create_window(size.width, size.height, "ckpt-check", nullptr, nullptr);
  if (window == nullptr) {
    const std::string why = last_error();
    g.terminate();
    return fail(ErrorKind::device, "no OpenGL 3.3 window: " + why);
  }
  g.make_current(window);
  g.swap_interval(1);
  running() = true;
  return std::make_unique<GlfwSurface>(window);
}

void wake_window() {
  if (running()) glfw().post_empty_event();
}

}  // namespace ckpt::gui
