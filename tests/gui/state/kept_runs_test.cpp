#include "gui/state/kept_runs.h"

#include <doctest/doctest.h>

#include <chrono>
#include <filesystem>

#include "gui/state/facts.h"
#include "tests/gui/golden_pair.h"

namespace ckpt::gui {
namespace {

namespace fs = std::filesystem;

const std::string kModel = testing::golden_model("A-causallm-w4a16-autoround");

/// A kept run of the model that measured a mean KL of `kl`.
std::string run_of(const pipeline::OpenedRepo& repo, double kl) {
  results::Results r = testing::golden_results();
  r.target = pipeline::target_of(repo);
  r.metrics->kl.mean = kl;
  return results::to_json(r);
}

void keep(const testing::TempDir& runs, const std::string& name, const std::string& content) {
  fs::create_directories(fs::path(runs.path() + "/" + name).parent_path());
  runs.write(name, content);
}

}  // namespace

TEST_CASE("kept runs: the newest of the same files, never one older than they are") {
  const auto repo = pipeline::open_target(kModel);
  REQUIRE(repo.has_value());
  const testing::TempDir runs;
  CHECK(newest_results(runs.path() + "/nowhere", **repo).empty());
  keep(runs, "2026-11-20T0900-1/results.json", run_of(**repo, 1));
  keep(runs, "2026-11-21T0900-1/results.json", run_of(**repo, 2));
  const std::string newest = runs.path() + "/2026-11-21T0900-1/results.json";
  CHECK(newest_results(runs.path(), **repo) == newest);
  keep(runs, "2026-11-22T0900-1/results.json", "{\"schema_version\": ");
  keep(runs, "2026-11-22T0900-2/other", "");
  results::Results other = testing::golden_results();
  other.target = pipeline::target_of(**repo);
  ++other.target.files.front().bytes;
  keep(runs, "2026-11-22T0900-3/results.json", results::to_json(other));
  CHECK(newest_results(runs.path(), **repo) == newest);

  const auto written = fs::last_write_time(kModel + "/config.json");
  fs::last_write_time(newest, written - std::chrono::seconds(1));
  CHECK(newest_results(runs.path(), **repo) == runs.path() + "/2026-11-20T0900-1/results.json");
}

TEST_CASE("kept runs: a target without results shows them, with what a check finds") {
  const auto repo = pipeline::open_target(kModel);
  REQUIRE(repo.has_value());
  const testing::TempDir runs;
  keep(runs, "2026-11-20T0900-1/results.json", run_of(**repo, 0.25));
  App app({.open = {.target = kModel, .results = {}, .reference = {}}, .runs = runs.path()});
  REQUIRE(testing::OpenPair::settle(app));
  REQUIRE(app.session() != nullptr);
  REQUIRE(app.session()->metrics() != nullptr);
  CHECK(app.session()->metrics()->kl.mean == 0.25);
  CHECK(app.session()->results()->findings.front().code == "VAL001");
  CHECK(app.session()->results()->loaders.size() > 1);  // from the check
  bool told = false;
  for (const Line& l : overview_lines(app)) told = told || l.text.starts_with("results: /");
  CHECK(told);
}

TEST_CASE("kept runs: both findings once, the worse verdict, and what was not looked at") {
  results::Results measured = testing::golden_results();
  measured.run.verdict = "pass";
  measured.gates = {{"kl.mean", "<=", 0.01, 0.02, {}, {}, "pass", "NUM001"}};
  results::Results checked;
  checked.run.verdict = "fail";
  checked.run.incomplete = {{"model.safetensors", "no permission"}};
  checked.findings = measured.findings;
  checked.findings.push_back(measured.findings.front());
  checked.findings.back().code = "CFG011";
  checked.loaders.push_back({.name = "vllm"});
  const results::Results both = joined(checked, measured);
  CHECK(both.run.verdict == "fail");
  CHECK(both.run.command == "kl");
  REQUIRE(both.findings.size() == 2);
  CHECK(both.findings[1].code == "CFG011");
  CHECK(both.run.incomplete.size() == 1);
  CHECK(both.metrics.has_value());
  CHECK(both.gates.size() == 1);
  CHECK(both.loaders.size() == 1);
  checked.run.verdict = "pass";
  measured.run.verdict = "inconclusive";
  CHECK(joined(checked, measured).run.verdict == "inconclusive");
}

}  // namespace ckpt::gui
