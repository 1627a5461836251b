// The built program: pictures without a display, and what it says when it cannot show anything.

#include <doctest/doctest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "gui/views/png.h"
#include "tests/cli/run.h"
#include "tests/gui/golden_pair.h"

namespace ckpt::gui {
namespace {

// A sanitized build keeps the driver loaded and suppresses its leaks (tests.cmake).
#ifndef CKPT_DRIVER_ENVIRONMENT
#define CKPT_DRIVER_ENVIRONMENT ""
#endif

testing::Ran run_program(const std::string& arguments, const std::string& environment = "") {
  return testing::run_program(arguments, environment + " " CKPT_DRIVER_ENVIRONMENT);
}

std::string quoted_models() {
  return testing::golden_model("A-causallm-w4a16-autoround") + " --reference " +
         testing::golden_model("A-causallm-bf16");
}

/// Whether pictures can be made here at all: without EGL and a software renderer they cannot.
bool has_renderer() {
  const auto ran = run_program("gui " + quoted_models() + " --screenshot a.png");
  if (ran.code != 0) MESSAGE("left out: " << ran.err);
  return ran.code == 0;
}

/// Share of pixels of which a channel differs by more than the rounding of two renderers.
double difference(const Picture& a, const Picture& b) {
  if (a.size != b.size) return 1;
  constexpr int kRounding = 24;
  std::size_t n = 0;
  for (std::size_t i = 0; i < a.pixels.size(); ++i) {
    const Rgba& x = a.pixels[i];
    const Rgba& y = b.pixels[i];
    const int most = std::max({std::abs(x.r - y.r), std::abs(x.g - y.g), std::abs(x.b - y.b)});
    if (most > kRounding) ++n;
  }
  return static_cast<double>(n) / static_cast<double>(a.pixels.size());
}

/// Peak resident memory in MiB of a run that draws two frames for each of `lines`, after opening a
/// tensor; negative when it failed.
double peak_of_frames(int lines, const testing::TempDir& dir) {
  std::string script = "select lm_head.weight\nwait\n";
  for (int i = 0; i < lines; ++i) script += "action app.theme\n";
  dir.write("script", script);
  const std::string model = testing::golden_model("A-causallm-bf16");
  const std::string path = dir.path() + "/script";
  const pid_t child = fork();
  if (child == 0) {
    execl(CKPT_BINARY, CKPT_BINARY, "gui", model.c_str(), "--script", path.c_str(), "--no-state",
          nullptr);
    _exit(127);
  }
  int status = 0;
  rusage used{};
  if (wait4(child, &status, 0, &used) != child || status != 0) return -1;
  return static_cast<double>(used.ru_maxrss) / 1024;
}

}  // namespace

TEST_CASE("gui: frames without a window leave no memory behind") {
#ifdef __SANITIZE_ADDRESS__
  MESSAGE("left out: a sanitizer keeps what was freed");
  return;
#endif
  if (!has_renderer()) return;
  const testing::TempDir dir;
  const double few = peak_of_frames(10, dir);
  const double many = peak_of_frames(110, dir);
  REQUIRE(few > 0);
  REQUIRE(many > 0);
  // A driver that keeps the commands of every frame takes 0.7 MiB more with each of the 200.
  CHECK(many - few < 40);
}

TEST_CASE("gui: pictures of the views are as they were looked at") {
  if (!has_renderer()) return;
  const testing::TempDir dir;
  dir.write("results.json", results::to_json(testing::golden_results()));
  const std::string folder = std::string(CKPT_FIXTURES) + "/gui/";
  const bool write = std::getenv("CKPT_WRITE_PICTURES") != nullptr;
  std::vector<Picture> seen;
  for (const std::string view : {"heat_map", "histogram", "experts", "layers"}) {
    CAPTURE(view);
    const std::string path = dir.path() + "/" + view + ".png";
    const auto ran = run_program("gui " + quoted_models() + " " + dir.path() +
                                 "/results.json --open 'expert 4 2' --view " + view +
                                 " --no-state --font builtin --size 960x560 --screenshot " + path);
    REQUIRE_MESSAGE(ran.code == 0, ran.err);
    const std::string bytes = testing::read_all(path);
    if (write) std::ofstream(folder + view + ".png", std::ios::binary) << bytes;
    const auto got = decode_png(bytes);
    const auto want = decode_png(testing::read_all(folder + view + ".png"));
    REQUIRE(got.has_value());
    REQUIRE(want.has_value());
    // A line of text that moves by a pixel is 1 % of such a picture; two renderers agree far
    // better.
    CHECK(difference(*got, *want) < 0.005);
    for (const Picture& other : seen) CHECK(difference(*got, other) > 0.02);
    seen.push_back(*got);
  }
}

TEST_CASE("gui: a window on a virtual display takes keys, and Ctrl+Q ends it") {
  if (std::system("command -v Xvfb xdotool > /dev/null") != 0) {
    MESSAGE("left out: Xvfb and xdotool are not installed");
    return;
  }
  const testing::TempDir dir;
  dir.write("run.sh",
            "Xvfb -displayfd 3 -screen 0 800x600x24 3> display 2> /dev/null &\n"
            "server=$!\n"
            "for i in $(seq 100); do [ -s display ] && break; sleep 0.05; done\n"
            "export DISPLAY=:$(cat display) XDG_STATE_HOME=$PWD\n"
            "env " CKPT_DRIVER_ENVIRONMENT
            " $1 gui $2 --theme light $3 & program=$!\n"
            "for i in $(seq 200); do kill -0 $program 2> /dev/null || break\n"
            "  xdotool key ctrl+q 2> /dev/null; sleep 0.05; done\n"
            "kill $program 2> /dev/null && echo 'did not end'\n"
            "wait $program; echo code $?\n"
            "kill $server\n");
  const std::string run = "cd " + dir.path() + " && rm -f display && sh run.sh " + CKPT_BINARY +
                          " " + testing::golden_model("A-causallm-bf16");
  const std::string command = run + " > out 2>&1";
  const std::string no_state = run + " --no-state > out 2>&1";
  const std::string file = dir.path() + "/ckpt-check/gui.toml";
  CHECK(std::system(no_state.c_str()) == 0);
  CHECK(testing::read_all(dir.path() + "/out") == "code 0\n");
  CHECK_FALSE(std::filesystem::exists(file));
  CHECK(std::system(command.c_str()) == 0);
  CHECK(testing::read_all(dir.path() + "/out") == "code 0\n");
  const std::string state = testing::read_all(file);
  CHECK(state.find("theme = \"light\"") != std::string::npos);
  CHECK(state.find("\n[[recent]]\ntarget = \"" + testing::golden_model("A-causallm-bf16") +
                   "\"\n") != std::string::npos);
}

TEST_CASE("gui: without a display it says how to get a picture, and exits 2") {
  const auto ran = run_program("gui " + quoted_models(), "DISPLAY= WAYLAND_DISPLAY=");
  CHECK(ran.code == 2);
  CHECK(ran.out.empty());
  CHECK(ran.err.find("--screenshot") != std::string::npos);
  CHECK(ran.err.find("--to html") != std::string::npos);
}

TEST_CASE(
    "gui: wrong sizes, views, selections, targets and scripts exit 2 and name what is wrong") {
  for (const auto& [arguments, word] :
       {std::pair<std::string, std::string>{"--size 3x3 --screenshot a.png", "--size 3x3"},
        {"--view nothing --screenshot a.png", "heat_map"},
        {"--open no.such.tensor --screenshot a.png", "no.such.tensor"},
        {"--script /nowhere/script", "/nowhere/script"},
        {"--cache 1K --screenshot a.png", "--cache 1K"}}) {
    CAPTURE(arguments);
    const auto ran = run_program("gui " + quoted_models() + " " + arguments);
    CHECK(ran.code == 2);
    CHECK(ran.err.find(word) != std::string::npos);
  }
  CHECK(run_program("gui /nowhere/at/all --screenshot a.png").code == 2);
}

}  // namespace ckpt::gui
