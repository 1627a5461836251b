#include "gui/window/run.h"

#include <fmt/format.h>

#include <chrono>
#include <cstdio>
#include <filesystem>
#include <thread>

#include "gui/state/actions.h"
#include "gui/state/remembered.h"
#include "gui/views/png.h"
#include "gui/views/script.h"
#include "gui/window/desktop.h"
#include "validator/base/file.h"
#include "validator/base/limits.h"
#include "validator/base/text.h"

namespace ckpt::gui {
namespace {

/// While something is read frames are made this often; without work and input there are none.
constexpr double kBusyWait = 1.0 / 60;
constexpr double kIdleWait = 60;

using Clock = std::chrono::steady_clock;

/// The size asked for, else `usual`.
Result<PixelSize> parse_size_option(const std::string& text, PixelSize usual) {
  if (text.empty()) return usual;
  const std::size_t x = text.find('x');
  const int width = parse_index(text.substr(0, x));
  const int height = x == std::string::npos ? -1 : parse_index(text.substr(x + 1));
  constexpr int kMost = 16384;
  if (width < 64 || height < 64 || width > kMost || height > kMost) {
    return fail(ErrorKind::usage,
                fmt::format("--size {}: WIDTHxHEIGHT between 64 and {}", shown(text, 40), kMost));
  }
  return PixelSize{width, height};
}

Result<Canvas> parse_view(const std::string& id) {
  std::vector<std::string> ids;
  for (std::size_t i = 0; i < kCanvases; ++i) {
    const auto canvas = static_cast<Canvas>(i);
    if (canvas_id(canvas) == id) return canvas;
    ids.emplace_back(canvas_id(canvas));
  }
  return fail(ErrorKind::usage,
              fmt::format("--view {}: there are {}", shown(id, 40), fmt::join(ids, ", ")));
}

AppOptions app_options(const RunArgs& args) {
  AppOptions o;
  o.open = args.open;
  if (!args.no_state) o.runs = args.runs;
  o.cache_bytes = args.cache_bytes;
  o.threads = args.threads > 0 ? args.threads : std::max(std::thread::hardware_concurrency(), 1U);
  o.wake = wake_window;
  return o;
}

/// Everything that draws: it is taken down in the opposite order.
struct Stage {
  App& app;
  Surface& surface;
  std::unique_ptr<Renderer> renderer;
  std::unique_ptr<Screen> screen;
  Clock::time_point last = Clock::now();

  ~Stage() { detach_renderer(); }

  void frame() {
    app.poll();
    const auto now = Clock::now();
    screen->frame(surface.size(), std::chrono::duration<float>(now - last).count());
    last = now;
    renderer->render(surface.size());
    if (app.save_screen.empty()) return;
    const auto saved = shoot(app.save_screen);
    app.say(saved ? "saved " + shown(app.save_screen) : saved.error().message);
    app.save_screen.clear();
  }

  Result<void> shoot(const std::string& path) {
    return write_file(path, encode_png(renderer->read(surface.size())));
  }
};

Result<std::unique_ptr<Stage>> set_stage(App& app, Surface& surface, const RunArgs& args) {
  CKPT_TRY(auto renderer, make_renderer(surface.finder()), "display");
  auto stage = std::unique_ptr<Stage>(new Stage{app, surface, std::move(renderer), nullptr});
  if (!args.theme.empty()) app.dark = args.theme != "light";
  app.encode_png = encode_png;
  stage->screen = std::make_unique<Screen>(
      app, stage->renderer->textures(), ScreenOptions{args.builtin_font, surface.content_scale()});
  CKPT_TRY_VOID(attach_renderer(), "display");
  return stage;
}

/// Selection and canvas of the command line, once the target is open.
Result<void> place(App& app, const RunArgs& args) {
  if (!args.select.empty() && !app.select_named(args.select)) {
    return fail(ErrorKind::usage, fmt::format("--open {}: no tensor, finding, layer or expert of "
                                              "that name",
                                              shown(args.select, 200)));
  }
  if (args.view.empty()) {
    if (!args.select.empty() && app.canvas == Canvas::overview) (void)act(app, "list.open");
    return {};
  }
  CKPT_TRY(app.canvas, parse_view(args.view), "view");
  return {};
}

void tell_time(const RunArgs& args, Clock::time_point begin) {
  if (!args.timing) return;
  const auto ms =
      std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - begin).count();
  (void)std::fprintf(stderr, "ckpt-check: first frame after %lld ms\n", static_cast<long long>(ms));
}

Result<void> run_without_window(const RunArgs& args, PixelSize size, Clock::time_point begin) {
  std::string script;
  if (!args.script.empty()) {
    const std::string option = "--script " + shown(args.script, 200);
    CKPT_TRY(const File file, open_file(args.script), option);
    CKPT_TRY(script, read_text(file, limits::kTextBytes), option);
  }
  CKPT_TRY(auto surface, open_offscreen(size), "no picture");
  App app(app_options(args));
  CKPT_TRY(auto stage, set_stage(app, *surface, args), "no picture");
  const ScriptHost host{[&] {
                          stage->frame();
                          stage->renderer->finish();
                        },
                        [&](const std::string& path) { return stage->shoot(path); },
                        [&](PixelSize to) { surface->resize(to); },
                        [&] { return surface->size(); }};
  host.frame();
  tell_time(args, begin);
  (void)settle(app, host);
  if (!app.error.empty()) return fail(ErrorKind::io, app.error);
  CKPT_TRY_VOID(place(app, args), "gui");
  CKPT_TRY_VOID(run_script(script, app, *stage->screen, host), shown(args.script, 200));
  (void)settle(app, host);
  if (args.screenshot.empty()) return {};
  return stage->shoot(args.screenshot);
}

/// What an earlier window left behind; nothing of it is needed.
Remembered recall(const RunArgs& args) {
  const std::string path = remembered_path();
  if (args.no_state || path.empty()) return {};
  const auto file = open_file(path);
  if (!file) return {};
  const auto text = read_text(*file, 64 << 10);
  return text ? from_toml(*text) : Remembered{};
}

void remember(const RunArgs& args, const App& app, PixelSize size) {
  const std::string path = remembered_path();
  if (args.no_state || path.empty()) return;
  std::error_code ignored;
  std::filesystem::create_directories(std::filesystem::path(path).parent_path(), ignored);
  // Another window may have opened something meanwhile.
  std::vector<OpenArgs> recent = recall(args).recent;
  for (auto at = app.recent.rbegin(); at != app.recent.rend(); ++at) add_recent(recent, *at);
  // A state that cannot be kept is no reason to fail.
  (void)write_file(path, to_toml({size, app.dark, app.scale, recent}));
}

Result<void> run_with_window(const RunArgs& args, const Remembered& was, PixelSize size,
                             Clock::time_point begin) {
  auto window = open_window(size);
  if (!window) {
    return tl::make_unexpected(Error{
        ErrorKind::device,
        fmt::format("{}\n  without a display: ckpt-check gui TARGET --screenshot FILE.png, or\n"
                    "  ckpt-check report RESULTS --to html -o report.html",
                    window.error().message)});
  }
  App app(app_options(args));
  app.dark = was.dark;
  app.scale = was.scale;
  app.recent = was.recent;
  std::vector<OpenArgs> kept = was.recent;
  CKPT_TRY(auto stage, set_stage(app, **window, args), "no window");
  (*window)->connect(*stage->screen);
  bool placed = false;
  bool first = true;
  int still = 0;
  while (!(*window)->closed() && !app.quit) {
    stage->frame();
    (*window)->swap();
    if (app.recent != kept) remember(args, app, (*window)->size());
    kept = app.recent;
    if (first) tell_time(args, begin);
    first = false;
    if (!placed && app.session() != nullptr) {
      placed = true;
      if (const auto done = place(app, args); !done) app.say(done.error().message);
      continue;
    }
    // A few frames after the last input: ImGui answers one frame late.
    still = app.idle() ? still + 1 : 0;
    const double wait = still > 3 ? kIdleWait : kBusyWait;
    (*window)->wait(wait);
    if (wait == kIdleWait) still = 0;
  }
  remember(args, app, (*window)->size());
  return {};
}

}  // namespace

std::string why_no_viewer() {
  return {};
}

Result<void> run_viewer(const RunArgs& args) {
  const auto begin = Clock::now();
  const bool window = args.screenshot.empty() && args.script.empty();
  const Remembered was = window ? recall(args) : Remembered{};
  CKPT_TRY(const PixelSize size, parse_size_option(args.size, was.size), "gui");
  if (!args.view.empty()) {
    CKPT_TRY([[maybe_unused]] const Canvas canvas, parse_view(args.view), "gui");
  }
  return window ? run_with_window(args, was, size, begin) : run_without_window(args, size, begin);
}

}  // namespace ckpt::gui
