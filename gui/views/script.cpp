#include "gui/views/script.h"

#include <fmt/format.h>

#include <charconv>
#include <chrono>
#include <sstream>
#include <thread>

#include "gui/state/actions.h"
#include "validator/base/text.h"

namespace ckpt::gui {
namespace {

Result<void> missing(std::string_view what, std::string_view name) {
  return fail(ErrorKind::usage, fmt::format("no {} `{}`", what, shown(name, 200)));
}

Result<void> run_line(std::string_view verb, const std::string& rest, App& app, Screen& screen,
                      const ScriptHost& host) {
  if (verb == "action") {
    if (!act(app, rest)) return missing("action", rest);
  } else if (verb == "click" || verb == "hover" || verb == "expect") {
    const Box* box = screen.registry().find(rest);
    if (box == nullptr) return missing("widget", rest);
    if (verb == "expect") return {};
    screen.mouse_move(box->x(), box->y());
    if (verb == "click") {
      host.frame();
      screen.mouse_button(0, true);
      host.frame();
      screen.mouse_button(0, false);
    }
  } else if (verb == "key") {
    if (!screen.press(rest)) return missing("key", rest);
  } else if (verb == "type") {
    for (const char c : rest) screen.type(static_cast<unsigned char>(c));
  } else if (verb == "select") {
    if (!app.select_named(rest)) return missing("tensor, finding, layer or expert", rest);
  } else if (verb == "filter") {
    return app.list.set_filter(rest);
  } else if (verb == "wheel") {
    screen.wheel(static_cast<float>(std::atoi(rest.c_str())));
  } else if (verb == "size") {
    const std::size_t x = rest.find('x');
    const int width = parse_index(rest.substr(0, x));
    const int height = x == std::string::npos ? -1 : parse_index(rest.substr(x + 1));
    if (width < 1 || height < 1) return missing("size", rest);
    host.resize({width, height});
  } else if (verb == "wait") {
    if (!settle(app, host)) return fail(ErrorKind::limit, "work did not end within a minute");
  } else if (verb == "screenshot") {
    return host.screenshot(rest);
  } else {
    return missing("command", verb);
  }
  return {};
}

}  // namespace

bool settle(App& app, const ScriptHost& host, double seconds) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::duration<double>(seconds);
  int quiet = 0;
  while (quiet < 3) {
    if (std::chrono::steady_clock::now() > end) return false;
    host.frame();
    if (app.idle()) {
      ++quiet;
    } else {
      quiet = 0;
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
  }
  return true;
}

Result<void> run_script(const std::string& text, App& app, Screen& screen, const ScriptHost& host) {
  std::istringstream lines(text);
  std::string line;
  host.frame();
  for (int number = 1; std::getline(lines, line); ++number) {
    if (line.empty() || line[0] == '#') continue;
    const std::size_t space = line.find(' ');
    const std::string verb = line.substr(0, space);
    const std::string rest = space == std::string::npos ? "" : line.substr(space + 1);
    CKPT_TRY_VOID(run_line(verb, rest, app, screen, host), fmt::format("script line {}", number));
    host.frame();
    host.frame();
  }
  return {};
}

}  // namespace ckpt::gui
