#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "tests/cli/run.h"

namespace ckpt {

using testing::run_program;

TEST_CASE("--version names the version and the build, in text and as JSON") {
  const auto j = nlohmann::json::parse(run_program("--version --json").out);
  CHECK(j["version"] == CKPT_VERSION);
  CHECK(j["results_schema"].is_string());
  const auto& build = j["build"];
  const std::string text = run_program("--version").out;
  CHECK(text.starts_with("ckpt-check " CKPT_VERSION " (" + build["type"].get<std::string>() + ", " +
                         build["compiler"].get<std::string>()));
  for (const auto& [key, word] :
       {std::pair{"cuda_plugin", ", cuda plugin"}, std::pair{"mpi_plugin", ", mpi plugin"},
        std::pair{"viewer", ", viewer"}, std::pair{"images", ", images"}}) {
    CAPTURE(key);
    CHECK((text.find(word) != std::string::npos) == build[key].get<bool>());
  }
}

TEST_CASE("what --version says of the build is so, and names no folder of it") {
  const auto build = nlohmann::json::parse(run_program("--version --json").out)["build"];
  const std::string program = testing::read_all(CKPT_BINARY);
  // The decoders are linked, so the program names their library.
  CHECK((program.find("libpng16.so") != std::string::npos) == build["images"].get<bool>());
  const std::string viewer = run_program("gui . --screenshot x.png").err;
  CHECK((viewer.find("missing when it was built") == std::string::npos) ==
        build["viewer"].get<bool>());
  CHECK(build.dump().find('/') == std::string::npos);
  // Where there is debug information, it names folders.
  if (build["type"] == "Release") CHECK(program.find(CKPT_SOURCE) == std::string::npos);
}

TEST_CASE("doctor shows the build that --version names") {
  const auto version = nlohmann::json::parse(run_program("--version --json").out);
  CHECK(nlohmann::json::parse(run_program("doctor --json").out)["build"] == version["build"]);
  const std::string text = run_program("--version").out;
  const auto open = text.find('(');
  const std::string build = text.substr(open + 1, text.rfind(')') - open - 1);
  CHECK(run_program("doctor").out.find("  build           " + build + "\n") != std::string::npos);
}

}  // namespace ckpt
