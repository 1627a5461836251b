#pragma once
// The viewer on a backend that draws nothing.

#include <doctest/doctest.h>

#include "gui/views/script.h"
#include "tests/gui/golden_pair.h"

namespace ckpt::testing {

inline constexpr gui::PixelSize kScreenSize{1280, 800};

/// Takes pictures and shows none.
class NoTextures final : public gui::Textures {
 public:
  std::size_t uploads = 0;
  gui::Picture last;

  void* upload(std::size_t slot, const gui::Picture& picture) override {
    ++uploads;
    last = picture;
    return reinterpret_cast<void*>(slot + 1);  // NOLINT: a number is as good as a texture here
  }
};

/// A screen that nobody sees, with what a script needs of it.
struct NullScreen {
  App& app;
  NoTextures textures;
  gui::Screen screen;
  gui::ScriptHost host;

  explicit NullScreen(App& shown) : app(shown), screen(shown, textures, {.builtin_font = true}) {
    host.frame = [this] {
      app.poll();
      screen.frame(kScreenSize, 0.02F);
    };
    host.size = [] { return kScreenSize; };
    host.resize = [](gui::PixelSize) {};
    host.screenshot = [](const std::string&) -> Result<void> {
      return fail(ErrorKind::unsupported, "nothing is shown here");
    };
    screen.set_font_texture(&textures);
    (void)gui::settle(app, host);
  }

  bool click_on(std::string_view label) {
    const bool done = gui::click(screen, label, kScreenSize);
    (void)gui::settle(app, host);
    return done;
  }

  void run(const std::string& script) {
    const auto done = gui::run_script(script, app, screen, host);
    CHECK_MESSAGE(done.has_value(), (done ? "" : done.error().message));
  }
};

}  // namespace ckpt::testing
