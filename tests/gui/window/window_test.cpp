// The built program: pictures without a display, and what it says when it cannot show anything.

#include <doctest/doctest.h>

#include "gui/views/png.h"
#include "tests/cli/run.h"
#include "tests/gui/golden_pair.h"

namespace ckpt::gui {
namespace {

using testing::run_program;

std::string quoted_models() {
  return testing::golden_model("A-causallm-w4a16-autoround") + " --reference " +
         testing::golden_model("A-causallm-bf16");
}

}  // namespace

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
