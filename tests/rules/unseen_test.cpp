// Variants of sound repos that no single rule was written for (fixtures/rules/unseen.py): every
// finding above info is expected, and each loader ends as it was judged by hand.

#include <doctest/doctest.h>

#include <algorithm>
#include <set>

#include "tests/support.h"
#include "validator/pipeline/check.h"

namespace ckpt::rules {
namespace {

std::set<std::string> above_info(const results::Results& r) {
  std::set<std::string> out;
  for (const results::Finding& f : r.findings) {
    if (f.severity != results::Severity::info) out.insert(f.code);
  }
  return out;
}

}  // namespace

TEST_CASE("variants judged by hand: the codes above info, no others, and the loaders' ends") {
  const std::string root = std::string(CKPT_RULE_FIXTURES) + "/";
  const auto expected = testing::read_json(root + "unseen.json");
  REQUIRE_MESSAGE(expected != nullptr, "run ctest, or fixtures/rules/make.py");
  CHECK(expected->root().size() >= 40);
  ThreadPool pool(2);
  NoProgress progress;
  expected->root().each_member([&](const json::Member& m) {
    const std::string name(m.name);
    CAPTURE(name);
    const auto opened = pipeline::open_target(root + "unseen/" + name);
    REQUIRE(opened.has_value());
    const results::Results r = pipeline::run_check(**opened, {}, pool, progress, {});
    std::set<std::string> codes;
    m.value.find("codes").each([&](const json::Value& v) { codes.emplace(*v.string()); });
    CHECK(above_info(r) == codes);
    for (const results::LoaderOutcome& l : r.loaders) {
      const auto wanted = m.value.find("loaders").find(l.name).string().value_or("");
      if (wanted.empty()) continue;
      CAPTURE(l.name);
      CHECK(results::loader_state_name(l.state) == wanted);
    }
  });
}

}  // namespace ckpt::rules
