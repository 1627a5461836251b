#include <doctest/doctest.h>

#include <algorithm>
#include <set>
#include <string>

#include "validator/rules/rule.h"

namespace ckpt::rules {

TEST_CASE("every rule has a code of three letters and three digits, once, in order of its group") {
  std::set<std::string_view> codes;
  std::set<std::string_view> names;
  std::string_view previous;
  for (const Rule* r : all_rules()) {
    CAPTURE(std::string(r->code));
    REQUIRE(r->code.size() == 6);
    CHECK(std::ranges::all_of(r->code.substr(0, 3), [](char c) { return c >= 'A' && c <= 'Z'; }));
    CHECK(std::ranges::all_of(r->code.substr(3), [](char c) { return c >= '0' && c <= '9'; }));
    CHECK(codes.insert(r->code).second);
    CHECK(names.insert(r->name).second);
    if (previous.substr(0, 3) == r->code.substr(0, 3)) CHECK(previous < r->code);
    previous = r->code;
  }
  CHECK(codes.size() >= 80);
}

TEST_CASE("every rule is documented: what, why, both examples, fix and sources, and can run") {
  for (const Rule* r : all_rules()) {
    CAPTURE(std::string(r->code));
    CHECK(r->what.size() > 20);
    CHECK(r->why.size() > 20);
    CHECK_FALSE(r->bad.empty());
    CHECK_FALSE(r->good.empty());
    CHECK(r->bad != r->good);
    CHECK_FALSE(r->fix.empty());
    CHECK_FALSE(r->sources.empty());
    // Findings with a base are made by `check --base`, those about a prune by prune-verify.
    const bool here = r->needs == Needs::headers || r->needs == Needs::values ||
                      (r->needs == Needs::base && r->code.substr(0, 3) != "PRU");
    CHECK((r->run != nullptr) == here);
    CHECK(std::ranges::all_of(r->name, [](char c) {
      return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
    }));
  }
}

TEST_CASE("explain fits 100 columns and names every part of the page") {
  for (const Rule* r : all_rules()) {
    CAPTURE(std::string(r->code));
    const std::string page = explain_text(*r);
    for (const char* part : {"What it checks", "Why it matters", "Fails", "Passes", "How to fix it",
                             "Sources", "severity", "status"}) {
      CHECK(page.find(part) != std::string::npos);
    }
    std::size_t begin = 0;
    while (begin < page.size()) {
      const std::size_t end = page.find('\n', begin);
      CHECK(end - begin <= 100);
      begin = end + 1;
    }
  }
}

TEST_CASE("a rule in preview runs only when that is asked, one without a function never") {
  Rule rule = *find_rule("QNT004");
  CHECK(is_run(rule, false));
  rule.status = Status::preview;
  CHECK_FALSE(is_run(rule, false));
  CHECK(is_run(rule, true));
  rule.run = nullptr;
  CHECK_FALSE(is_run(rule, true));
}

TEST_CASE("a message is cut in its longest name when it exceeds 80 characters") {
  const std::string name(120, 'n');
  const results::Finding f =
      make_finding("QNT004", {.message = "`a` and `" + name + "` disagree", .subject = name});
  CHECK(f.message.size() == 80);
  CHECK(f.message.starts_with("`a` and `nnn"));
  CHECK(f.message.ends_with("nnn` disagree"));
  CHECK(f.subject == name);
}

TEST_CASE("find_rule knows exact codes only") {
  CHECK(find_rule("QNT004") != nullptr);
  CHECK(find_rule("QNT00") == nullptr);
  CHECK(find_rule("qnt004") == nullptr);
  CHECK(find_rule("") == nullptr);
}

}  // namespace ckpt::rules
