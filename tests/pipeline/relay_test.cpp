// `fix --output`: other names and files, the same weights.

#include "validator/pipeline/relay.h"

#include <doctest/doctest.h>

#include <algorithm>

#include "tests/pipeline/lint_repos.h"
#include "validator/weights/model.h"

namespace ckpt::pipeline {
namespace {

std::unique_ptr<OpenedRepo> open(const std::string& path) {
  auto opened = open_target(path);
  REQUIRE(opened.has_value());
  return *std::move(opened);
}

Result<void> relay(const std::string& from, const std::string& to, const OpenedRepo* base = nullptr,
                   std::uint64_t shard_bytes = 1U << 30) {
  const auto opened = open(from);
  CKPT_TRY(const RelayPlan plan, plan_relay(*opened, base, shard_bytes), "plan");
  NoProgress progress;
  return write_relay({*opened, base, plan, {}, to, progress, {}});
}

/// Every module decodes to the same numbers in both; returns how many were compared.
std::size_t same_weights(const OpenedRepo& a, const OpenedRepo& b) {
  const weights::Model x(a.checkpoint, a.config, *a.blueprint, a.stored);
  const weights::Model y(b.checkpoint, b.config, *b.blueprint, b.stored);
  REQUIRE(a.blueprint->modules().size() == b.blueprint->modules().size());
  std::size_t n = 0;
  for (std::uint32_t i = 0; i < a.blueprint->modules().size(); ++i) {
    CAPTURE(a.blueprint->modules()[i].name);
    const auto p = x.load(i);
    const auto q = y.load(i);
    REQUIRE(p.has_value() == q.has_value());
    if (!p) continue;
    CHECK(p->packed == q->packed);
    CHECK(*p->decode_all() == *q->decode_all());
    ++n;
  }
  return n;
}

results::Results check(const OpenedRepo& o) {
  ThreadPool pool(1);
  NoProgress progress;
  return run_check(o, {}, pool, progress, {});
}

}  // namespace

TEST_CASE("joined experts are cut bit for bit, and every loader then loads as meant") {
  const testing::TempDir dir;
  testing::lay_out_lint_repo("experts-gateup-fused-perexpert", dir);
  const std::string out = dir.path() + "-relaid";
  REQUIRE(relay(dir.path(), out).has_value());
  const auto before = open(dir.path());
  const auto after = open(out);
  CHECK(same_weights(*before, *after) > 30);
  CHECK(after->checkpoint.defects().empty());
  const results::Results r = check(*after);
  CHECK(r.run.verdict == "pass");
  for (const results::LoaderOutcome& l : r.loaders) {
    CAPTURE(l.name);
    CHECK(l.state == results::LoaderState::loads_as_meant);
  }
  std::filesystem::remove_all(out);
}

TEST_CASE("small files make shards with an index, and nothing is lost") {
  const testing::TempDir dir;
  testing::lay_out_lint_repo("clean-autoround-vl", dir);
  const std::string out = dir.path() + "-relaid";
  REQUIRE(relay(dir.path(), out, nullptr, 10'000).has_value());
  const auto before = open(dir.path());
  const auto after = open(out);
  CHECK(after->checkpoint.shards().size() > 3);
  REQUIRE(after->checkpoint.index());
  CHECK(after->checkpoint.defects().empty());
  CHECK(after->checkpoint.tensors().size() == before->checkpoint.tensors().size());
  CHECK(same_weights(*before, *after) > 30);
  std::filesystem::remove_all(out);
}

TEST_CASE("a packed router is taken from the base; without one it is left and said") {
  const testing::TempDir dir;
  testing::lay_out_lint_repo("router-quantized", dir);
  const testing::TempDir base_dir;
  testing::lay_out_lint_repo("clean-autoround-causal", base_dir);
  const auto opened = open(dir.path());
  const auto base = open(base_dir.path());
  const auto without = plan_relay(*opened, nullptr, 1U << 30);
  REQUIRE(without.has_value());
  CHECK(without->from_base == 0);
  CHECK_FALSE(without->refused.empty());
  const std::string out = dir.path() + "-relaid";
  REQUIRE(relay(dir.path(), out, base.get()).has_value());
  const auto after = open(out);
  CHECK(check(*after).run.verdict == "pass");
  for (const arch::Module& m : base->blueprint->modules()) {
    if (m.cls != arch::ModuleClass::router) continue;
    const container::Tensor* t = after->checkpoint.find(m.name + ".weight");
    const container::Tensor* want = base->checkpoint.find(m.name + ".weight");
    REQUIRE((t != nullptr && want != nullptr));
    Bytes have(t->bytes());
    Bytes wanted(want->bytes());
    REQUIRE(after->checkpoint.read(*t, 0, have).has_value());
    REQUIRE(base->checkpoint.read(*want, 0, wanted).has_value());
    CHECK(have == wanted);
  }
  std::filesystem::remove_all(out);
}

TEST_CASE("an output that exists is not touched, and damaged weights are not laid out") {
  const testing::TempDir dir;
  testing::lay_out_lint_repo("clean-autoround-causal", dir);
  const testing::TempDir taken;
  taken.write("a", "b");
  CHECK_FALSE(relay(dir.path(), taken.path()).has_value());
  CHECK(testing::read_all(taken.path() + "/a") == "b");
  const testing::TempDir damaged;
  testing::lay_out_lint_repo("file-truncated", damaged);
  CHECK_FALSE(relay(damaged.path(), damaged.path() + "-relaid").has_value());
  CHECK_FALSE(std::filesystem::exists(damaged.path() + "-relaid"));
}

}  // namespace ckpt::pipeline
