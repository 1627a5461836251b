#include "validator/results/reproducible.h"

#include <doctest/doctest.h>

namespace ckpt {

TEST_CASE("make_reproducible: times, memory and folders are gone, names and numbers stay") {
  results::Results r;
  r.run.started = "2026-11-21T09:00:00Z";
  r.run.duration_s = 1.5;
  r.run.incomplete.push_back({"kl", "cannot read /home/ada/models/A-W4/config.json"});
  r.target.input = "/home/ada/models/A-W4/";
  r.how.reference = "../ada/A";
  r.how.text = "/home/ada/corpus.txt";
  r.how.memory_budget_bytes = 1U << 30U;
  r.how.tokens = 4096;
  r.kept_in = "/home/ada/.local/state/ckpt-check/runs/1";
  r.notes.push_back("to use it: --config /home/ada/models/A-W4/ckpt-check.toml");
  r.ranking.push_back({.target = "/home/ada/models/B-W8", .kl = 0.25});
  results::make_reproducible(r);
  const std::string json = results::to_json(r) + r.kept_in;
  for (const char* gone : {"ada", "home", "2026", "1.5", "1073741824"}) {
    CAPTURE(gone);
    CHECK(json.find(gone) == std::string::npos);
  }
  CHECK(r.target.input == "A-W4");
  CHECK(r.how.reference == "A");
  CHECK(r.how.text == "corpus.txt");
  CHECK(r.how.tokens == 4096);
  CHECK(r.ranking[0].target == "B-W8");
  CHECK(r.ranking[0].kl == 0.25);
  CHECK(r.notes[0] == "to use it: --config A-W4/ckpt-check.toml");
}

TEST_CASE("make_reproducible: a repository of the hub keeps its owner") {
  results::Results r;
  r.target.input = "Qwen/Qwen3.5-397B-A17B";
  r.how.reference = "bf16.bundle";
  r.how.text = "builtin:mixed-v1";
  results::make_reproducible(r);
  CHECK(r.target.input == "Qwen/Qwen3.5-397B-A17B");
  CHECK(r.how.reference == "bf16.bundle");
  CHECK(r.how.text == "builtin:mixed-v1");
}

}  // namespace ckpt
