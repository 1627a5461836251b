// Every repo of fixtures/lint gets the finding its description asks for, at its severity or above,
// in the right place; clean ones get nothing above info.

#include <doctest/doctest.h>

#include <algorithm>

#include "tests/pipeline/lint_repos.h"
#include "validator/pipeline/check.h"

namespace ckpt {
namespace {

using results::Finding;
using results::Severity;

results::Results check(const std::string& path) {
  auto opened = pipeline::open_target(path);
  REQUIRE(opened.has_value());
  ThreadPool pool(2);
  NoProgress progress;
  return pipeline::run_check(**opened, {}, pool, progress, {});
}

Severity severity_of(std::string_view name) {
  return name == "error" ? Severity::error : name == "warning" ? Severity::warning : Severity::info;
}

/// What the description is about: a tensor, a module or a config key, wherever a finding names it.
bool names(const Finding& f, const std::string& about) {
  const auto holds = [&about](const std::string& text) {
    return text.find(about) != std::string::npos;
  };
  if (holds(f.message) || holds(f.subject)) return true;
  return std::ranges::any_of(f.where, [&](const results::Location& w) {
    return holds(w.tensor) || holds(w.module) || holds(w.pointer) || holds(w.file);
  });
}

}  // namespace

TEST_CASE("each broken repo raises its finding at its severity, with effect or fix") {
  const auto expected = testing::read_json(testing::lint_folder() + "expected.json");
  std::size_t broken = 0;
  expected->root().find("cases").each([&](const json::Value& c) {
    const std::string repo(*c.find("repo").string());
    CAPTURE(repo);
    const testing::TempDir dir;
    testing::lay_out_lint_repo(repo, dir);
    const results::Results r = check(dir.path());
    if (c.find("must_raise").size() == 0) {
      CHECK(r.count(Severity::error) + r.count(Severity::warning) == 0);
      CHECK(r.run.exit_code == 0);
      return;
    }
    ++broken;
    const std::string& code = testing::lint_codes().at(repo);
    CAPTURE(code);
    const auto found = std::ranges::find(r.findings, code, &Finding::code);
    REQUIRE(found != r.findings.end());
    c.find("must_raise").each([&](const json::Value& m) {
      const Severity least = severity_of(*m.find("at_least").string());
      CHECK(found->severity >= least);
      CHECK_FALSE(found->fix.empty());
      CHECK_FALSE(found->where.empty());
    });
    // A repo may raise more than it was made for; the verdict follows all of it.
    const bool must_fail = r.count(Severity::error) != 0;
    CHECK(r.run.exit_code == (must_fail ? 1 : 0));
  });
  CHECK(broken == 34);
}

TEST_CASE("findings point at the tensor, module or key that is wrong") {
  struct Row {
    const char* repo;
    const char* code;
    const char* about;
  };

  constexpr Row kRows[] = {
      {"router-quantized", "QNT010", "model.layers.0.mlp.gate"},
      {"router-not-in-extra-config", "QNT005", "mlp.gate"},
      {"shared-expert-gate-not-in-extra-config", "QNT005", "mlp.shared_expert_gate"},
      {"text-config-dtype-float16", "CFG011", "/text_config/dtype"},
      {"tokenizers-backend-class", "TOK003", "tokenizer_config.json"},
      {"index-missing-shard", "IDX001", "model-00009-of-00002.safetensors"},
      {"index-lists-absent-tensor", "IDX002", "experts.9.up_proj.scales"},
      {"tensor-not-in-index", "IDX003", "layers.1.mlp.experts.3.down_proj.scales"},
      {"qzeros-wrong-shape", "MAP005", "model.layers.0.mlp.experts.1.up_proj"},
      {"scales-nan", "VAL001", "model.layers.0.mlp.experts.1.up_proj"},
      {"scales-zero", "VAL003", "model.layers.0.mlp.experts.1.up_proj"},
      {"linear-attn-quantized", "QNT009", "model.layers.2.linear_attn.in_proj_qkv"},
      {"vision-quantized", "QNT012", "model.visual.blocks.0.attn.proj"},
      {"in-features-not-multiple-of-group", "QNT014", "down_proj"},
      {"g-idx-nontrivial", "VAL004", "model.layers.0.mlp.experts.2.gate_proj"},
      {"weight-map-path-traversal", "IDX007", "lm_head.weight"},
      {"expert-missing", "MAP007", "model.layers.1.mlp.experts.2"},
      {"nan-in-norm", "VAL002", "model.layers.1.input_layernorm.weight"},
      {"shape-bytes-mismatch", "STF008", "model.layers.0.mlp.experts.1.up_proj"},
  };
  for (const Row& row : kRows) {
    const std::string repo = row.repo;
    CAPTURE(repo);
    const testing::TempDir dir;
    testing::lay_out_lint_repo(repo, dir);
    const results::Results r = check(dir.path());
    const auto found = std::ranges::find(r.findings, row.code, &Finding::code);
    REQUIRE(found != r.findings.end());
    CHECK(names(*found, row.about));
  }
}

TEST_CASE("sixty wrong keys are one finding, and its loaders' states follow from it") {
  const testing::TempDir dir;
  testing::lay_out_lint_repo("extra-config-wrong-prefix", dir);
  const results::Results r = check(dir.path());
  REQUIRE(r.count(Severity::error) == 1);
  CHECK(r.count(Severity::warning) == 0);
  const auto f = std::ranges::find(r.findings, "QNT004", &Finding::code);
  REQUIRE(f != r.findings.end());
  CHECK(f->count == 9);
  CHECK(f->repairable);
  const auto vllm = std::ranges::find(r.loaders, "vllm", &results::LoaderOutcome::name);
  REQUIRE(vllm != r.loaders.end());
  CHECK(vllm->codes == std::vector<std::string>{"QNT004"});
}

}  // namespace ckpt
