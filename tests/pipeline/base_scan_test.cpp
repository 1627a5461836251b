// Real quantized repos against their real bases, and against another one.

#include "validator/pipeline/base_scan.h"

#include <doctest/doctest.h>

#include <algorithm>

#include "tests/support.h"
#include "validator/pipeline/check.h"

namespace ckpt::pipeline {
namespace {

const std::string kModels = std::string(CKPT_FIXTURES) + "/golden/models/";

std::unique_ptr<OpenedRepo> open(const std::string& name) {
  auto opened = open_target(kModels + name);
  REQUIRE(opened.has_value());
  return *std::move(opened);
}

rules::BaseFacts scan(const OpenedRepo& candidate, const OpenedRepo& base) {
  ThreadPool pool(2);
  NoProgress progress;
  std::uint64_t left_out = 0;
  const auto facts = scan_base({candidate, base, pool, progress, {}}, left_out);
  REQUIRE(facts.has_value());
  CHECK(left_out == 0);
  return *facts;
}

std::ptrdiff_t count(const rules::BaseFacts& facts, auto&& holds) {
  return std::ranges::count_if(facts.facts, holds);
}

}  // namespace

TEST_CASE("AutoRound leaves plain tensors as they are and stays within a step of the base") {
  const auto candidate = open("A-causallm-w4a16-autoround");
  const auto base = open("A-causallm-bf16");
  const rules::BaseFacts facts = scan(*candidate, *base);
  CHECK(facts.facts.size() == candidate->blueprint->modules().size());
  CHECK(count(facts, [](const auto& f) { return !f.packed && !f.equal; }) == 0);
  CHECK(count(facts, [](const auto& f) { return f.packed && !(f.error < 0.25); }) == 0);
  CHECK(count(facts, [](const auto& f) { return f.packed && f.beyond > 0; }) == 0);
  CHECK(count(facts, [](const auto& f) { return f.packed && f.error > 0.01; }) > 300);
  CHECK(facts.vocabulary_differs == 0);
}

TEST_CASE("the result does not depend on the number of threads, and an interrupt ends it") {
  const auto candidate = open("A-causallm-w4a16-autoround");
  const auto base = open("A-causallm-bf16");
  const rules::BaseFacts two = scan(*candidate, *base);
  ThreadPool one(1);
  NoProgress progress;
  std::uint64_t left_out = 0;
  const auto alone = scan_base({*candidate, *base, one, progress, {}}, left_out);
  REQUIRE(alone.has_value());
  REQUIRE(alone->facts.size() == two.facts.size());
  for (std::size_t i = 0; i < two.facts.size(); ++i) {
    CHECK(alone->facts[i].error == two.facts[i].error);
    CHECK(alone->facts[i].off_nearest == two.facts[i].off_nearest);
  }
  std::stop_source stop;
  stop.request_stop();
  const auto stopped = scan_base({*candidate, *base, one, progress, stop.get_token()}, left_out);
  REQUIRE_FALSE(stopped.has_value());
  CHECK(stopped.error().kind == ErrorKind::cancelled);
}

}  // namespace ckpt::pipeline
