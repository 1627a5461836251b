#include "validator/base/line_diff.h"

#include <doctest/doctest.h>

#include <charconv>
#include <random>
#include <string>
#include <vector>

namespace ckpt {
namespace {

std::vector<std::string> lines_of(std::string_view text) {
  std::vector<std::string> out;
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    out.emplace_back(text.substr(0, end));
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  }
  return out;
}

std::size_t number(std::string_view text) {
  std::size_t n = 0;
  std::from_chars(text.data(), text.data() + text.size(), n);
  return n;
}

/// Applies a unified diff as `patch` would; every context and removed line must be there.
std::string patched(const std::string& before, const std::string& diff) {
  const std::vector<std::string> a = lines_of(before);
  std::string out;
  std::size_t at = 0;
  for (const std::string& line : lines_of(diff)) {
    if (line.starts_with("---") || line.starts_with("+++")) continue;
    if (line.starts_with("@@")) {
      const std::size_t comma = line.find(',');
      const std::size_t first = number(std::string_view(line).substr(4));
      const bool empty = number(std::string_view(line).substr(comma + 1)) == 0;
      for (const std::size_t begin = empty ? first : first - 1; at < begin; ++at)
        out += a[at] + "\n";
      continue;
    }
    if (line[0] != '+') {
      REQUIRE(at < a.size());
      REQUIRE(a[at] == line.substr(1));
      ++at;
    }
    if (line[0] != '-') out += line.substr(1) + "\n";
  }
  for (; at < a.size(); ++at) out += a[at] + "\n";
  return out;
}

}  // namespace

TEST_CASE("equal texts have no difference") {
  CHECK(unified_diff("x", "a\nb\n", "a\nb\n").empty());
}

TEST_CASE("one changed line stands between three lines of context") {
  const std::string diff =
      unified_diff("c.json", "1\n2\n3\n4\n5\n6\n7\n8\n9\n", "1\n2\n3\n4\nfive\n6\n7\n8\n9\n");
  CHECK(diff == "--- a/c.json\n+++ b/c.json\n@@ -2,7 +2,7 @@\n 2\n 3\n 4\n-5\n+five\n 6\n 7\n 8\n");
}

TEST_CASE("a missing newline at the end is said") {
  const std::string diff = unified_diff("x", "a", "a\n");
  CHECK(diff.find("-a\n\\ No newline at end of file\n+a\n") != std::string::npos);
}

TEST_CASE("a new file has only additions") {
  CHECK(unified_diff("x", "", "a\nb\n") == "--- a/x\n+++ b/x\n@@ -0,0 +1,2 @@\n+a\n+b\n");
}

TEST_CASE("applying the difference gives the other text, and no line changes without need") {
  std::mt19937 random(3);
  for (int round = 0; round < 400; ++round) {
    std::string before;
    std::string after;
    std::size_t edits = 0;
    for (auto n = random() % 60; n > 0; --n) {
      const std::string line(1, static_cast<char>('a' + random() % 4));
      const auto what = random() % 8;
      if (what != 0) before += line + "\n";
      if (what != 1) after += line + "\n";
      edits += static_cast<std::size_t>(what < 2);
    }
    const std::string diff = unified_diff("x", before, after);
    CAPTURE(before);
    CAPTURE(diff);
    CHECK(patched(before, diff) == after);
    std::size_t changed = 0;
    for (const std::string& line : lines_of(diff)) {
      changed += static_cast<std::size_t>((line[0] == '+' || line[0] == '-') && line[1] != line[0]);
    }
    CHECK(changed <= edits);
  }
}

TEST_CASE("texts with nothing in common are one change, in bounded time") {
  std::string before;
  std::string after;
  for (int i = 0; i < 20'000; ++i) {
    before += "a" + std::to_string(i) + "\n";
    after += "b" + std::to_string(i) + "\n";
  }
  CHECK(patched(before, unified_diff("x", before, after)) == after);
}

}  // namespace ckpt
