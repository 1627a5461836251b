// Options of `kl` that would have no effect, and what the help and the last lines look like.

#include <doctest/doctest.h>

#include <sstream>

#include "tests/cli/run.h"
#include "tests/pipeline/lint_repos.h"

namespace ckpt {
namespace {

using testing::run_program;
using testing::TempDir;

/// The least that is taken for a bundle: a file of blobs with one of that name.
void write_bundle(const TempDir& dir) {
  const std::string header = R"({"bundle":{"dtype":"U8","shape":[2],"data_offsets":[0,2]}})";
  std::string bytes(8, '\0');
  bytes[0] = static_cast<char>(header.size());
  dir.write("b.bundle", bytes + header + "{}");
}

}  // namespace

TEST_CASE("an option of kl without effect is refused, and the message names what is missing") {
  const TempDir dir;
  write_bundle(dir);

  struct Row {
    std::string options;
    std::string named;
    bool bundle = false;
  };

  const Row rows[] = {
      {"--confirm --gate 'kl.mean<=1'", "--attribute both or expert"},
      {"--confirm --gate 'kl.mean<=1' --attribute layer", "--attribute both or expert"},
      {"--confirm --attribute both", "--gate 'kl.mean<=LIMIT'"},
      {"--confirm --attribute expert --gate 'kl.max<=1'", "--gate 'kl.mean<=LIMIT'"},
      {"--top-experts 8", "--attribute expert"},
      {"--top-experts 4 --attribute both", "--attribute expert"},
      {"--skip-local --attribute expert", "--skip-local"},
      {"--journal-interval 20", "--journal or --resume"},
      {"--journal a --resume a", "give one of them"},
      {"--bundle-detail head", "--save-bundle"},
      {"--token-ids ids.json --text builtin:mixed-v1", "--text does not go with --token-ids"},
      {"--token-ids ids.json --context 512", "--context does not go with --token-ids"},
      {"--prompts p.json --context 512", "--context does not go with --prompts"},
      {"--part p", "--shard"},
      {"--save-bundle b --journal j", "--save-bundle and --journal"},
      {"./second --part p --shard 1/2", "one TARGET"},
      {"--tokens 4096", "token ids are fixed", true},
      {"--context 512", "token ids are fixed", true},
      {"--token-ids ids.json", "token ids are fixed", true},
      {"--skip-local", "no local errors", true},
      {"--noise-floor", "with a bundle", true},
      {"--shard 1/2", "with a bundle", true},
  };
  for (const Row& row : rows) {
    CAPTURE(row.options);
    const testing::Ran r = run_program("kl ./nowhere " + row.options + " --reference " +
                                       (row.bundle ? dir.path() + "/b.bundle" : "./base"));
    CHECK(r.code == 2);
    CHECK(r.out.empty());
    CHECK(r.err.find(row.named) != std::string::npos);
  }
}

TEST_CASE("what goes together is not refused, nor is a default from the environment") {
  const TempDir dir;
  write_bundle(dir);

  struct Row {
    std::string options;
    std::string environment;
  };

  const Row rows[] = {
      {"--confirm --attribute both --gate 'kl.mean<=1' --reference ./base", ""},
      {"--top-experts 4 --attribute expert --reference ./base", ""},
      {"--journal-interval 5 --resume j --reference ./base", ""},
      {"--reference " + dir.path() + "/b.bundle", "CKPT_CHECK_TOKENS=64"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.options);
    // Judged, hence on standard output: what is missing are the checkpoints.
    const testing::Ran r = run_program("kl ./nowhere " + row.options, row.environment);
    CHECK(r.code == 2);
    CHECK(r.out.find("INCOMPLETE") != std::string::npos);
  }
}

TEST_CASE("a run that ended before it had tokens says nothing about them") {
  const testing::Ran r = run_program("kl ./nowhere --reference ./base");
  CHECK(r.code == 2);
  CHECK(r.out.find("tokens of") == std::string::npos);
  CHECK(r.out.find("0 errors") != std::string::npos);
}

TEST_CASE("no line of any help is wider than 100 columns") {
  std::string commands = run_program("--help").out;
  std::vector<std::string> asked{""};
  std::istringstream list(commands.substr(commands.find("Subcommands:") + 12));
  std::string line;
  std::getline(list, line);  // the rest of the heading
  while (std::getline(list, line) && !line.empty()) {
    if (line.starts_with("  ") && line.size() > 2 && line[2] != ' ') {
      asked.push_back(line.substr(2, line.find(' ', 2) - 2));
    }
  }
  REQUIRE(asked.size() > 10);
  for (const std::string& command : asked) {
    std::istringstream help(run_program(command + " --help").out);
    std::size_t lines = 0;
    for (; std::getline(help, line); ++lines) {
      CAPTURE(line);
      CHECK(line.size() <= 100);
    }
    CHECK(lines > 2);
  }
}

}  // namespace ckpt
