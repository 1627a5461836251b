// The predicted load of transformers against 266 recorded ones (fixtures/loaders/loads): verdict,
// missing and unexpected keys. The repos are re-created by make.py.

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <cstdlib>
#include <map>
#include <set>

#include "tests/pipeline/lint_repos.h"
#include "validator/pipeline/check.h"
#include "validator/pipeline/value_scan.h"

namespace ckpt {
namespace {

using loaders::LoadReport;
using loaders::LoadVerdict;

const std::string kFolder = std::string(CKPT_FIXTURES) + "/loaders/loads/";

struct Case {
  std::string id;
  std::string base;
  std::string verdict;
  std::set<std::string> verdicts;  ///< over two runs: fresh memory decides some
  bool compared = false;           ///< with a clean load
  bool ignore_mismatched_sizes = false;
  json::Value missing;
  json::Value unexpected;
};

std::string text_of(const json::Value& v) {
  return std::string(v.string().value_or(std::string_view{}));
}

std::vector<Case> read_cases(const json::Document& document) {
  std::vector<Case> out;
  document.root().find("cases").each([&out](const json::Value& v) {
    Case c{text_of(v.find("id")), text_of(v.find("base")), text_of(v.find("verdict")), {}};
    v.find("verdicts").each([&c](const json::Value& s) { c.verdicts.insert(text_of(s)); });
    c.compared = c.verdict != "complete";
    c.ignore_mismatched_sizes =
        v.find("kwargs").find("ignore_mismatched_sizes").boolean().value_or(false);
    c.missing = v.find("missing");
    c.unexpected = v.find("unexpected");
    out.push_back(std::move(c));
  });
  return out;
}

/// The recorded word; what was not compared with a clean load has nothing to differ from.
std::string word(LoadVerdict verdict, bool compared) {
  switch (verdict) {
    case LoadVerdict::loads:
      return compared ? "same" : "complete";
    case LoadVerdict::wrong_output:
      return compared ? "differs" : "complete";
    case LoadVerdict::nonfinite:
      return "nonfinite";
    case LoadVerdict::random:
      return "random";
    case LoadVerdict::random_nonfinite:
      return "random_nonfinite";
    case LoadVerdict::fails_load:
      return "fails_load";
    case LoadVerdict::fails_forward:
      return "fails_forward";
    case LoadVerdict::exits:
      return "exits";
  }
  return {};
}

std::string fnv1a(const std::vector<std::string>& names) {
  std::uint64_t value = 0xcbf29ce484222325ULL;
  for (std::size_t i = 0; i < names.size(); ++i) {
    for (const char c : (i == 0 ? "" : "\n") + names[i]) {
      value = (value ^ static_cast<unsigned char>(c)) * 0x100000001b3ULL;
    }
  }
  return fmt::format("{:016x}", value);
}

/// True when the recorded set has the same size and hash; a load that failed recorded none.
bool same_keys(const json::Value& want, const std::vector<std::string>& got) {
  if (!want.is(json::Kind::array)) return true;
  std::vector<json::Value> fields;
  want.each([&fields](const json::Value& v) { fields.push_back(v); });
  return fields[0].integer() == static_cast<std::int64_t>(got.size()) &&
         text_of(fields[1]) == fnv1a(got);
}

LoadReport predict(const std::string& path, const Case& c) {
  const auto opened = pipeline::open_target(path);
  REQUIRE(opened.has_value());
  const pipeline::OpenedRepo& o = **opened;
  ThreadPool pool(2);
  NoProgress progress;
  const auto values = pipeline::scan_values(o, pool, progress, {});
  std::optional<loaders::LoadPlan> plan;
  if (o.blueprint) {
    plan = loaders::make_plan(loaders::Loader::transformers, o.config, *o.blueprint);
  }
  return pipeline::load_report(o, plan ? &*plan : nullptr, values ? &*values : nullptr,
                               {.ignore_mismatched_sizes = c.ignore_mismatched_sizes});
}

/// Runs make.py; false when there is no Python.
bool make(const std::string& arguments) {
  const std::string command = "python3 -B " + kFolder + "make.py " + arguments;
  return std::system(command.c_str()) == 0;
}

struct Score {
  std::size_t verdicts = 0;
  std::size_t cases = 0;
  std::size_t keys = 0;
  std::size_t key_cases = 0;
  std::map<std::string, std::string> wrong_verdicts;  ///< case -> what was predicted instead
  std::map<std::string, std::string> wrong_keys;

  void add(const Case& c, const LoadReport& r) {
    ++cases;
    const std::string got = word(r.verdict, c.compared);
    if (c.verdicts.contains(got)) {
      ++verdicts;
    } else {
      wrong_verdicts[c.id] = fmt::format("recorded {}, predicted {} ({})", c.verdict, got, r.why);
    }
    if (!c.missing.is(json::Kind::array)) return;
    ++key_cases;
    if (same_keys(c.missing, r.missing) && same_keys(c.unexpected, r.unexpected)) {
      ++keys;
    } else {
      wrong_keys[c.id] =
          fmt::format("predicted {} missing, {} unexpected", r.missing.size(), r.unexpected.size());
    }
  }
};

}  // namespace

TEST_CASE("transformers 5.17: verdicts and key sets of 266 recorded loads are predicted") {
  const auto document = testing::read_json(kFolder + "loads.json");
  REQUIRE(document != nullptr);
  const testing::TempDir root;
  if (!make("bases " + root.path())) {
    MESSAGE("no python3: the repos cannot be re-created");
    return;
  }
  Score score;
  std::vector<Case> waiting;
  const auto run = [&] {
    const testing::TempDir dest;
    std::string ids;
    for (const Case& c : waiting) ids += " " + c.id;
    REQUIRE(make("cases " + root.path() + " " + dest.path() + ids));
    for (const Case& c : waiting) score.add(c, predict(dest.path() + "/" + c.id, c));
    waiting.clear();
  };
  for (Case& c : read_cases(*document)) {
    if (c.base.starts_with("lint/")) {
      const testing::TempDir dir;
      testing::lay_out_lint_repo(c.base.substr(5), dir);
      score.add(c, predict(dir.path(), c));
      continue;
    }
    waiting.push_back(std::move(c));
    constexpr std::size_t kAtOnce = 24;  // bounds the disk that the repos take
    if (waiting.size() == kAtOnce) run();
  }
  if (!waiting.empty()) run();
  MESSAGE(score.verdicts << " of " << score.cases << " verdicts agree");
  MESSAGE(score.keys << " of " << score.key_cases << " pairs of missing and unexpected keys agree");
  // Known: both repos are sound, and differ only from the one they were made from.
  const std::set<std::string> sound{"arv-oproj-stored-16-listed", "ct-bf16-experts-fused"};
  // Known: a status other than `compressed` makes the loader ask for unpacked parameters.
  const std::set<std::string> status{"ct-status-frozen"};
  for (const auto& [id, what] : score.wrong_verdicts) {
    MESSAGE(id << ": " << what);
    CHECK(sound.contains(id));
  }
  for (const auto& [id, what] : score.wrong_keys) {
    MESSAGE(id << ": " << what);
    CHECK(status.contains(id));
  }
  CHECK(score.cases == 266);
}

}  // namespace ckpt
