// Every rule has a repo that it flags and one that it does not, made by fixtures/rules/make.py.

#include <doctest/doctest.h>

#include <algorithm>
#include <map>
#include <set>

#include "tests/support.h"
#include "validator/base/text.h"
#include "validator/pipeline/check.h"
#include "validator/pipeline/repair.h"
#include "validator/rules/recipe.h"
#include "validator/rules/rule.h"

namespace ckpt::rules {
namespace {

using results::Finding;
using results::Severity;

/// Codes found in one fixture repo, with their highest severity.
using Found = std::map<std::string, Severity>;

std::unique_ptr<pipeline::OpenedRepo> open(std::string_view folder) {
  auto opened = pipeline::open_target(std::string(CKPT_RULE_FIXTURES) + "/" + std::string(folder));
  REQUIRE(opened.has_value());
  return *std::move(opened);
}

/// What the fixture asks `check` for.
pipeline::CheckOptions options(const json::Value& asked) {
  pipeline::CheckOptions o;
  if (const auto name = asked.find("gpu").string()) {
    o.gpu = loaders::find_gpu(*name);
    REQUIRE(o.gpu.has_value());
    const auto memory = asked.find("gpu_memory").string();
    if (memory) REQUIRE(parse_size(*memory, o.gpu->memory_bytes));
  }
  std::map<std::string, std::string> recipe;
  asked.find("recipe").each_member([&](const json::Member& m) {
    recipe[std::string(m.name)] = std::string(m.value.string().value_or(""));
  });
  if (!recipe.empty()) {
    auto read = read_recipe(recipe);
    REQUIRE(read);
    o.recipe = *std::move(read);
  }
  o.expert_parallel = asked.find("expert_parallel").unsigned_integer().value_or(0);
  return o;
}

/// Checks `folder` as the manifest's entry asks, against the entry's base when it has one.
Found check(const std::string& folder, const json::Value& asked, const json::Value& base_folder) {
  const auto opened = open(folder);
  pipeline::CheckOptions how = options(asked);
  std::unique_ptr<pipeline::OpenedRepo> base;
  if (const auto there = base_folder.string()) {
    base = open(*there);
    how.base = base.get();
  }
  ThreadPool pool(2);
  NoProgress progress;
  const results::Results r = pipeline::run_check(*opened, how, pool, progress, {});
  Found found;
  for (const Finding& f : r.findings) {
    CHECK_FALSE(f.message.empty());
    CHECK_FALSE(f.where.empty());
    Severity& s = found.try_emplace(f.code, f.severity).first->second;
    s = std::max(s, f.severity);
  }
  return found;
}

std::shared_ptr<const json::Document> manifest() {
  auto read = testing::read_json(std::string(CKPT_RULE_FIXTURES) + "/manifest.json");
  REQUIRE_MESSAGE(read != nullptr, "run ctest, or fixtures/rules/make.py");
  return read;
}

}  // namespace

TEST_CASE("every rule that `check` runs has a bad and a good fixture, and every fixture a rule") {
  const auto read = manifest();
  for (const Rule* r : all_rules()) {
    if (r->run == nullptr) continue;  // findings of `kl` and `prune-verify`: tests/pipeline
    CAPTURE(std::string(r->code));
    CHECK(read->root().find(r->code).is(json::Kind::object));
  }
  read->root().each_member([](const json::Member& m) {
    CAPTURE(std::string(m.name));
    CHECK(find_rule(m.name) != nullptr);
  });
}

TEST_CASE("`bad` fires its own code, and others above info only where the fixture says why") {
  const auto read = manifest();
  read->root().each_member([](const json::Member& m) {
    const std::string code(m.name);
    CAPTURE(code);
    const Found found = check(std::string(*m.value.find("bad").string()), m.value.find("asked"),
                              m.value.find("base"));
    CHECK(found.contains(code));
    std::set<std::string> also;
    m.value.find("also").each_member([&](const json::Member& a) {
      also.emplace(a.name);
      CHECK(a.value.string().value_or("").size() > 10);
    });
    for (const auto& [other, severity] : found) {
      if (other == code || severity == Severity::info) continue;
      CAPTURE(other);
      CHECK(also.erase(other) == 1);
    }
    for (const std::string& stale : also) {
      CAPTURE(stale);
      CHECK(found.contains(stale));
    }
  });
}

TEST_CASE("`good` is silent above info, and its own rule altogether") {
  const auto read = manifest();
  std::map<std::string, Found> seen;
  read->root().each_member([&seen](const json::Member& m) {
    const std::string code(m.name);
    const std::string folder(*m.value.find("good").string());
    CAPTURE(code);
    CAPTURE(folder);
    const json::Value asked = m.value.find("asked_good");
    const json::Value base = m.value.find("base");
    // Most start from one of a few repos and ask for nothing: those are checked once.
    const std::string key = asked.size() == 0 && !base ? folder : folder + code;
    const auto [it, fresh] = seen.try_emplace(key);
    if (fresh) it->second = check(folder, asked, base);
    CHECK_FALSE(it->second.contains(code));
    for (const auto& [other, severity] : it->second) {
      CAPTURE(other);
      CHECK(severity == Severity::info);
    }
  });
}

TEST_CASE("`fix` repairs the `bad` repo of every repairable rule, and writes no weights") {
  const auto read = manifest();
  ThreadPool pool(2);
  for (const Rule* rule : all_rules()) {
    if (!rule->repairable) continue;
    const std::string code(rule->code);
    // Weights laid out anew (--output), and two templates of which only a person knows the right.
    if (code == "IDX005" || code == "TOK005") continue;
    CAPTURE(code);
    const json::Value entry = read->root().find(code);
    const std::string root = std::string(CKPT_RULE_FIXTURES) + "/";
    pipeline::RepairArgs args{.target = root + std::string(*entry.find("bad").string()),
                              .base = root + std::string(*entry.find("good").string())};
    args.check.select = {code};
    const auto plan = pipeline::plan_repairs(args, pool, {});
    REQUIRE(plan.has_value());
    CHECK(plan->before.findings.size() >= 1);
    CHECK(plan->after.findings.empty());
    CHECK_FALSE(plan->changes.empty());
    for (const pipeline::FileChange& c : plan->changes) {
      CHECK_FALSE(c.name.ends_with(".safetensors"));
    }
  }
}

}  // namespace ckpt::rules
