#include <doctest/doctest.h>

#include <cstdlib>
#include <filesystem>

#include "tests/support.h"
#include "validator/policy/apply.h"
#include "validator/policy/keys.h"

namespace ckpt::policy {
namespace {

constexpr Day kNow = 20'778;  // 2026-11-21

Result<Settings> read(const std::string& text) {
  const testing::TempDir dir;
  dir.write(kSettingsName, text);
  return read_settings(dir.path() + "/" + kSettingsName, kNow);
}

std::string refusal(const std::string& text) {
  const auto s = read(text);
  REQUIRE_FALSE(s.has_value());
  CHECK(s.error().kind == ErrorKind::usage);
  return s.error().message;
}

results::Results two_findings() {
  results::Results r;
  for (const char* code : {"QNT004", "MAP010"}) {
    results::Finding f;
    f.code = code;
    f.subject = "model.layers.3.mlp";
    f.count = 5;
    r.findings.push_back(f);
  }
  return r;
}

std::string waiver(const std::string& rest) {
  return "[[waiver]]\ncode = \"QNT004\"\nreason = \"served with our own loader\"\n" + rest;
}

std::vector<std::string> codes(const results::Results& r) {
  std::vector<std::string> out;
  for (const results::Finding& f : r.findings) out.push_back(f.code);
  return out;
}

}  // namespace

TEST_CASE("a whole configuration is read") {
  const auto s = read(R"(
[check]
fail_on = "warning"
loaders = ["vllm"]
extend_select = ["CRD"]
[severity]
TOK003 = "error"
[gates]
"kl.mean" = "<= 0.014"
[kl]
reference = "./base"
tokens = 65536
[[waiver]]
code = "QNT020"
subject = "model.language_model.layers.39.*"
reason = "served with our own loader"
expires = 2027-01-31
)");
  REQUIRE(s.has_value());
  CHECK(s->fail_on == "warning");
  CHECK(s->severity.at("TOK003") == results::Severity::error);
  CHECK(s->gates == std::vector<std::string>{"kl.mean<= 0.014"});
  CHECK(s->tokens == 65536);
  REQUIRE(s->waivers.size() == 1);
  CHECK(day_text(*s->waivers[0].expires) == "2027-01-31");
}

TEST_CASE("what a configuration may not say is refused with its place and the nearest word") {
  CHECK(refusal("[check]\nfail_om = \"error\"\n").find(":2:1: unknown key `fail_om`") !=
        std::string::npos);
  CHECK(refusal("[check]\nfail_om = \"error\"\n").find("did you mean `fail_on`") !=
        std::string::npos);
  CHECK(refusal("[check]\nfail_on = \"bad\"\n").find("one of error") != std::string::npos);
  CHECK(refusal("[check]\nfail_on = 3\n").find("must be a string") != std::string::npos);
  CHECK(refusal("[check]\nloaders = [\"vlm\"]\n").find("`vlm` is none of vllm") !=
        std::string::npos);
  CHECK(refusal("[severity]\nQNT999 = \"error\"\n").find("no rule") != std::string::npos);
  CHECK(refusal("check = 1\n").find("must be a table") != std::string::npos);
  CHECK(refusal("[check\n").find(":1:") != std::string::npos);
  CHECK(refusal(waiver("")).find("expires") != std::string::npos);
  CHECK(refusal(waiver("expires = \"soon\"\n")).find("expires") != std::string::npos);
  CHECK(refusal(waiver("expires = 2028-11-21\n")).find("400 days") != std::string::npos);
  CHECK(refusal("[[waiver]]\ncode = \"QNT004\"\nreason = \"short\"\nexpires = \"never\"\n")
            .find("reason") != std::string::npos);
  CHECK(refusal("[[waiver]]\ncode = \"QNT\"\nreason = \"served elsewhere\"\nexpires = \"never\"\n")
            .find("no rule") != std::string::npos);
}

TEST_CASE("the example of the guide is a configuration") {
  const std::string guide = testing::read_all(std::string(CKPT_SOURCE) + "/docs/gate-in-ci.md");
  const std::size_t begin = guide.find("```toml\n");
  REQUIRE(begin != std::string::npos);
  const std::size_t end = guide.find("\n```", begin);
  const auto s = read(guide.substr(begin + 8, end - begin - 8));
  REQUIRE_MESSAGE(s.has_value(), s.error().message);
  CHECK(s->waivers.size() == 1);
}

TEST_CASE("every key of the table is taken with a value of its type, and nothing like it") {
  for (const Key& k : setting_keys()) {
    CAPTURE(std::string(k.name));
    const std::string word = k.allowed.empty() ? "x" : k.allowed[0];
    const bool number = std::holds_alternative<std::optional<std::uint64_t> Settings::*>(k.to);
    const bool list = std::holds_alternative<std::vector<std::string> Settings::*>(k.to);
    const auto spelt = [&](const std::string& text) {
      return number ? "7" : list ? "[\"" + text + "\"]" : "\"" + text + "\"";
    };
    const std::string head = "[" + std::string(k.section) + "]\n" + std::string(k.name);
    CHECK(read(head + " = " + spelt(word) + "\n").has_value());
    CHECK(refusal(head + "s = " + spelt(word) + "\n").find("did you mean") != std::string::npos);
    CHECK(refusal(head + " = true\n").find("must be") != std::string::npos);
    if (k.allowed.empty()) continue;
    CHECK(refusal(head + " = " + spelt("zz") + "\n").find("of " + k.allowed[0]) !=
          std::string::npos);
  }
}

TEST_CASE("a waiver covers exactly its code and subject") {
  const auto s = read(waiver("subject = \"model.layers.*\"\nexpires = 2027-06-01\n"));
  REQUIRE(s.has_value());
  results::Results r = two_findings();
  apply_waivers(r, *s, kNow);
  CHECK(r.findings[0].status == "waived");
  CHECK(r.findings[0].waiver->until == "2027-06-01");
  CHECK(r.findings[1].status == "new");
  CHECK(r.count(results::Severity::error) == 1);
}

TEST_CASE(
    "waivers that have expired, expire soon, match nothing or may not be raise their findings") {
  struct Row {
    std::string text;
    std::string code;
    std::string status;
  };

  for (const Row& row : {Row{waiver("expires = 2026-11-20\n"), "WVR001", "new"},
                         Row{waiver("expires = 2026-11-21\n"), "WVR002", "waived"},
                         Row{waiver("expires = 2026-12-05\n"), "WVR002", "waived"},
                         Row{waiver("expires = \"never\"\nsubject = \"x\"\n"), "WVR003", "new"}}) {
    CAPTURE(row.text);
    const auto s = read(row.text);
    REQUIRE(s.has_value());
    results::Results r = two_findings();
    apply_waivers(r, *s, kNow);
    CHECK(codes(r) == std::vector<std::string>{"QNT004", "MAP010", row.code});
    CHECK(r.findings[0].status == row.status);
  }
  // A rule that could not run says nothing about its waiver.
  const auto unmatched = read(waiver("expires = \"never\"\nsubject = \"x\"\n"));
  results::Results not_run = two_findings();
  not_run.rules_skipped.push_back({"QNT004", "needs the weight values"});
  apply_waivers(not_run, *unmatched, kNow);
  CHECK(not_run.findings.size() == 2);
  const auto s =
      read("[[waiver]]\ncode = \"IDX007\"\nreason = \"we know it\"\nexpires = \"never\"\n");
  REQUIRE(s.has_value());
  results::Results r;
  r.findings.emplace_back().code = "IDX007";
  apply_waivers(r, *s, kNow);
  CHECK(codes(r) == std::vector<std::string>{"IDX007", "WVR004"});
  CHECK(r.findings[0].status == "new");
}

TEST_CASE("a baseline knows the same findings, not worse ones, and says what is gone") {
  results::Results before = two_findings();
  const std::string baseline = write_baseline(before);
  results::Results same = two_findings();
  REQUIRE(apply_baseline(same, baseline).has_value());
  CHECK(same.count(results::Severity::error) == 0);
  results::Results worse = two_findings();
  worse.findings[0].count = 6;
  REQUIRE(apply_baseline(worse, baseline).has_value());
  CHECK(worse.findings[0].status == "new");
  CHECK(worse.findings[1].status == "known");
  results::Results fixed = two_findings();
  fixed.findings.pop_back();
  REQUIRE(apply_baseline(fixed, baseline).has_value());
  REQUIRE(fixed.notes.size() == 1);
  CHECK(fixed.notes[0].find("MAP010") != std::string::npos);
  CHECK_FALSE(apply_baseline(fixed, "{}").has_value());
  CHECK_FALSE(apply_baseline(fixed, "[").has_value());
  CHECK(apply_baseline(fixed, write_baseline({})).has_value());
}

TEST_CASE("a configuration is found from a folder up to the root of its repository") {
  const testing::TempDir dir;
  namespace fs = std::filesystem;
  fs::create_directories(dir.path() + "/repo/.git");
  fs::create_directories(dir.path() + "/repo/a/b");
  dir.write(kSettingsName, "");
  CHECK(find_settings(dir.path() + "/repo/a/b").empty());  // not beyond the repository
  dir.write("repo/ckpt-check.toml", "");
  CHECK(find_settings(dir.path() + "/repo/a/b") ==
        fs::absolute(dir.path() + "/repo/ckpt-check.toml").string());
}

}  // namespace ckpt::policy
