// What `fix` writes: the finding goes, nothing else changes, weights are not touched.

#include "validator/pipeline/repair.h"

#include <doctest/doctest.h>

#include <algorithm>

#include "tests/pipeline/lint_repos.h"

namespace ckpt::pipeline {
namespace {

RepairPlan plan(const std::string& target, const std::string& base = {}) {
  ThreadPool pool(2);
  auto planned = plan_repairs({.target = target, .base = base}, pool, {});
  REQUIRE(planned.has_value());
  return *std::move(planned);
}

bool has(const results::Results& r, std::string_view code) {
  return std::ranges::any_of(r.findings,
                             [code](const results::Finding& f) { return f.code == code; });
}

}  // namespace

TEST_CASE("each repairable lint repo is repaired, on disk too, and nothing else is touched") {
  struct Row {
    const char* repo;
    const char* code;
    const char* file;
  };

  for (const Row& row : {Row{"extra-config-wrong-prefix", "QNT004", "config.json"},
                         Row{"missing-block-name", "QNT002", "config.json"},
                         Row{"router-not-in-extra-config", "QNT005", "config.json"},
                         Row{"shared-expert-gate-not-in-extra-config", "QNT005", "config.json"},
                         Row{"torch-dtype-float16", "CFG011", "config.json"},
                         Row{"text-config-dtype-float16", "CFG011", "config.json"},
                         Row{"num-experts-mismatch", "MAP006", "config.json"},
                         Row{"tokenizers-backend-class", "TOK003", "tokenizer_config.json"}}) {
    CAPTURE(row.repo);
    const testing::TempDir dir;
    testing::lay_out_lint_repo(row.repo, dir);
    const RepairPlan p = plan(dir.path());
    CHECK(has(p.before, row.code));
    CHECK_FALSE(has(p.after, row.code));
    CHECK(p.refused.empty());
    REQUIRE_FALSE(p.changes.empty());
    CHECK(std::ranges::any_of(p.changes, [&](const FileChange& c) { return c.name == row.file; }));
    CHECK(std::ranges::none_of(
        p.changes, [](const FileChange& c) { return c.name.ends_with(".safetensors"); }));
    REQUIRE(write_changes(p.changes, dir.path(), true).has_value());
    CHECK(testing::read_all(dir.path() + "/" + row.file + ".orig") == p.changes[0].before);
    const RepairPlan again = plan(dir.path());
    CHECK(again.changes.empty());
    CHECK_FALSE(has(again.before, row.code));
  }
}

TEST_CASE("the side file is repaired like the block in config.json") {
  const testing::TempDir dir;
  testing::lay_out_lint_repo("missing-block-name", dir);
  const auto config = testing::read_json(dir.path() + "/config.json");
  dir.write("quantization_config.json",
            std::string(config->root().find("quantization_config").raw()));
  const RepairPlan p = plan(dir.path());
  REQUIRE(p.changes.size() == 2);
  for (const FileChange& c : p.changes) {
    CHECK(c.after.find("\"block_name_to_quantize\": \"model.language_model.layers\"") !=
          std::string::npos);
  }
}

TEST_CASE("a missing file is copied from the base, and refused without one") {
  const testing::TempDir dir;
  testing::lay_out_lint_repo("missing-preprocessor-config", dir);
  CHECK(plan(dir.path()).changes.empty());
  CHECK(plan(dir.path()).refused.size() == 1);
  const testing::TempDir base;
  base.write("preprocessor_config.json", "{\"size\": {}}");
  const RepairPlan p = plan(dir.path(), base.path());
  REQUIRE(p.changes.size() == 1);
  CHECK(p.changes[0].is_new);
  REQUIRE(write_changes(p.changes, dir.path(), false).has_value());
  CHECK(testing::read_all(dir.path() + "/preprocessor_config.json") == "{\"size\": {}}");
}

TEST_CASE("a file that changed since the plan is not overwritten") {
  const testing::TempDir dir;
  testing::lay_out_lint_repo("torch-dtype-float16", dir);
  const RepairPlan p = plan(dir.path());
  dir.write("config.json", "{}");
  CHECK_FALSE(write_changes(p.changes, dir.path(), false).has_value());
  CHECK(testing::read_all(dir.path() + "/config.json") == "{}");
}

}  // namespace ckpt::pipeline
