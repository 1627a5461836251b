// The command `report`, and several reports of one run.

#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "tests/cli/run.h"
#include "tests/pipeline/lint_repos.h"

namespace ckpt {
namespace {

using testing::read_all;
using testing::run_program;
using testing::TempDir;

/// A results file of a repo with an error.
std::string results_in(const TempDir& dir) {
  const TempDir repo;
  testing::lay_out_lint_repo("router-quantized", repo);
  const std::string path = dir.path() + "/results.json";
  CHECK(run_program("check " + repo.path() + " -qq --report json=" + path).code == 1);
  return path;
}

}  // namespace

TEST_CASE("one run writes any number of reports, and the screen stays what it was") {
  const TempDir repo;
  testing::lay_out_lint_repo("router-quantized", repo);
  const TempDir out;
  const std::string plain = run_program("check --reproducible " + repo.path()).out;
  std::string options;
  for (const char* format : {"json", "jsonl", "sarif", "junit", "codequality", "markdown", "html",
                             "csv", "card", "text", "concise", "github"}) {
    options += std::string(" --report ") + format + "=" + out.path() + "/" + format;
  }
  const auto r = run_program("check --reproducible " + repo.path() + options);
  CHECK(r.code == 1);
  CHECK(r.out == plain);
  for (const char* format : {"json", "sarif", "codequality"}) {
    CHECK_FALSE(
        nlohmann::json::parse(read_all(out.path() + "/" + format), nullptr, false).is_discarded());
  }
  CHECK(read_all(out.path() + "/html").starts_with("<!DOCTYPE html>"));
  CHECK(read_all(out.path() + "/junit").starts_with("<?xml"));
}

TEST_CASE("a report made later is the report made at once") {
  const TempDir repo;
  testing::lay_out_lint_repo("router-quantized", repo);
  const TempDir out;
  const std::string path = out.path() + "/results.json";
  const std::string run = "check --reproducible " + repo.path();
  CHECK(run_program(run + " -qq --report json=" + path).code == 1);
  for (const char* format : {"json", "jsonl", "sarif", "junit", "codequality", "github", "markdown",
                             "card", "html", "csv", "text", "concise"}) {
    CAPTURE(format);
    const auto later = run_program("report " + path + " -f " + format);
    CHECK(later.code == 0);
    CHECK(later.out == run_program(run + " -f " + format).out);
  }
}

TEST_CASE("report: what cannot be read or rendered is exit code 2 with a reason") {
  const TempDir dir;
  const std::string path = results_in(dir);
  dir.write("other.json", "{\"a\": 1}");
  dir.write("broken.json", "{");

  struct Row {
    std::string arguments;
    const char* reason;
  };

  for (const Row& row : {Row{"report " + dir.path() + "/absent.json", "absent.json"},
                         Row{"report " + dir.path() + "/other.json", "no schema_version"},
                         Row{"report " + dir.path() + "/broken.json", "results"},
                         Row{"report " + path + " -f pdf", "no format `pdf`"},
                         Row{"report " + path + " -f svg", "kl"},
                         Row{"report " + path + " -f csv --table layers", "kl"},
                         Row{"report " + path + " -f csv --table x", "--table"},
                         Row{"report " + path + " --front-matter", "--update"},
                         Row{"check . --report sarif", "FORMAT=PATH"},
                         Row{"check . --report x=y", "no format `x`"}}) {
    CAPTURE(row.arguments);
    const auto r = run_program(row.arguments);
    CHECK(r.code == 2);
    CHECK(r.err.find(row.reason) != std::string::npos);
  }
}

TEST_CASE("report --update shows the change first, and with --diff nothing else") {
  const TempDir dir;
  const std::string path = results_in(dir);
  dir.write("README.md", "# Model\n");
  const std::string card = dir.path() + "/README.md";
  const std::string update = "report " + path + " --update " + card;
  const auto shown = run_program(update + " --diff");
  CHECK(shown.code == 0);
  CHECK(shown.out.find("+<!-- ckpt-check:begin -->\n") != std::string::npos);
  CHECK(read_all(card) == "# Model\n");
  CHECK(run_program(update).code == 0);
  CHECK(read_all(card).starts_with("# Model\n\n<!-- ckpt-check:begin -->\n"));
  CHECK(run_program(update).out.empty());
  CHECK(run_program(update + " --front-matter").code == 2);  // there are no numbers in a check
}

TEST_CASE("annotations also append to the job's summary") {
  const TempDir dir;
  const std::string path = results_in(dir);
  dir.write("summary", "before\n");
  const auto r = run_program("report " + path + " -f concise --report github",
                             "GITHUB_STEP_SUMMARY=" + dir.path() + "/summary");
  CHECK(r.code == 0);
  CHECK(r.out.starts_with("::"));
  CHECK(r.out.find("\n::error title=ckpt-check (") != std::string::npos);
  CHECK(read_all(dir.path() + "/summary").starts_with("before\n### FAIL "));
}

}  // namespace ckpt
