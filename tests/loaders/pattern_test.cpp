#include "validator/loaders/pattern.h"

#include <doctest/doctest.h>

#include <random>

namespace ckpt::loaders {

TEST_CASE("names are turned away early only when no pattern can match") {
  // Every pattern matches its name; what is required of a name must not turn it away.
  struct Row {
    const char* pattern;
    const char* name;
  };

  const Row rows[] = {{"layers.*.mlp.gate", "model.layers.3.mlp.gate"},
                      {R"(layers\.3\.mlp)", "model.layers.3.mlp.gate"},
                      {"abcx*d", "abcd"},
                      {"abcx?", "abc"},
                      {"abx+c", "abxxc"},
                      {"^model", "model.norm"},
                      {"gate$", "mlp.gate"},
                      {"(gate|up)_proj", "up_proj"},
                      {"[gu]ate", "uate"},
                      {R"(layers\.\d+)", "layers.12"},
                      {R"(\x6dlp)", "mlp"},
                      {"x{0}y", "y"},
                      {"a?b?", ""},
                      {"", "anything"},
                      {"\xC3\xA9+", "\xC3\xA9\xC3\xA9"}};
  for (const Row& row : rows) {
    CAPTURE(row.pattern);
    CHECK(PatternSet({row.pattern}, Anchor::search).first_match(row.name) == 0);
  }
}

TEST_CASE("patterns of literals, dots and runs match as an automaton says") {
  std::mt19937 random(9);
  const auto word = [&random](const std::string& letters, std::size_t most) {
    std::string out;
    for (auto n = random() % (most + 1); n > 0; --n) out += letters[random() % letters.size()];
    return out;
  };
  int matched = 0;
  for (int round = 0; round < 20'000; ++round) {
    std::string pattern;
    for (auto n = random() % 6; n > 0; --n) {
      constexpr const char* kParts[] = {"a", "b", "ab", ".", ".*", "\\."};
      pattern += kParts[random() % 6];
    }
    const std::string name = word("ab.", 10);
    // A group makes the same pattern one that only the automaton takes.
    const int simple = PatternSet({pattern}, Anchor::search).first_match(name);
    const int automaton = PatternSet({"(?:" + pattern + ")"}, Anchor::search).first_match(name);
    CAPTURE(pattern);
    CAPTURE(name);
    CHECK(simple == automaton);
    matched += simple == 0 ? 1 : 0;
  }
  CHECK(matched > 2000);
}

TEST_CASE("a set answers as its patterns do one by one") {
  std::mt19937 random(5);
  const std::string alphabet = R"(abc.*+?^$|()\d)";
  const auto word = [&random](const std::string& letters, std::size_t most) {
    std::string out;
    for (auto n = random() % (most + 1); n > 0; --n) out += letters[random() % letters.size()];
    return out;
  };
  for (int round = 0; round < 3000; ++round) {
    std::vector<std::string> patterns{word(alphabet, 6), word(alphabet, 6), word(alphabet, 6)};
    const PatternSet set(patterns, Anchor::search);
    const std::string name = word("abc.1", 8);
    std::vector<bool> together(patterns.size());
    set.mark_matches(name, together);
    for (std::size_t i = 0; i < patterns.size(); ++i) {
      CAPTURE(patterns[i]);
      CAPTURE(name);
      // Joined with a pattern that every name matches, nothing is turned away early.
      const bool alone = set.problem(i) == PatternProblem::none &&
                         PatternSet({patterns[i]}, Anchor::search).first_match(name) == 0;
      std::vector<bool> slow(2);
      PatternSet({patterns[i], "a*"}, Anchor::search).mark_matches(name, slow);
      CHECK(together[i] == alone);
      CHECK(slow[0] == alone);
    }
  }
}

}  // namespace ckpt::loaders
