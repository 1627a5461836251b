#include "validator/pipeline/super_experts.h"

#include <doctest/doctest.h>

#include <filesystem>

namespace ckpt::pipeline {

namespace {

results::Results detected(int layer, int expert, std::uint64_t tokens) {
  results::Results r;
  results::ExpertMetrics e;
  e.layer = layer;
  e.expert = expert;
  e.tokens = tokens;
  e.output_norm = 12.5;
  e.super_expert = true;
  r.metrics.emplace();
  r.metrics->experts.push_back(e);
  return r;
}

}  // namespace

TEST_CASE("a detected super-expert at the narrowest of several widths is a finding") {
  const std::string path =
      std::string(CKPT_SOURCE) + "/../shared/golden/models/A-causallm-w4a16-w8a16-ct";
  if (!std::filesystem::exists(path)) {
    MESSAGE("skipped: the mixed-precision model is not beside the source tree");
    return;
  }
  const auto mixed = open_target(path);  // experts in 4 bits, layers 0, 1 and 7 in BF16
  REQUIRE(mixed);
  results::Results narrow = detected(3, 5, 100);
  judge_super_experts(**mixed, narrow);
  REQUIRE(narrow.findings.size() == 1);
  CHECK(narrow.findings[0].code == "NUM006");
  CHECK(narrow.findings[0].severity == results::Severity::warning);
  CHECK(narrow.findings[0].where.at(0).expert == 5);
  results::Results wide = detected(1, 5, 100);
  judge_super_experts(**mixed, wide);
  CHECK(wide.findings.empty());
  results::Results few = detected(3, 5, 31);  // too few tokens to tell
  judge_super_experts(**mixed, few);
  CHECK(few.findings.empty());
}

TEST_CASE("where all experts are stored alike nothing was forgotten") {
  const auto uniform =
      open_target(std::string(CKPT_FIXTURES) + "/golden/models/A-causallm-w4a16-autoround");
  REQUIRE(uniform);
  results::Results r = detected(3, 5, 100);
  judge_super_experts(**uniform, r);
  CHECK(r.findings.empty());
}

}  // namespace ckpt::pipeline
