#include "validator/metrics/compare.h"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>

namespace ckpt::metrics {

TEST_CASE("candidates are ranked, and a small but steady gap tells two apart") {
  // b is a plus a hundredth everywhere: its own interval overlaps a's, the paired gap does not.
  std::vector<double> a, b, c;
  std::vector<std::uint64_t> lengths(20, 10);
  for (int i = 0; i < 200; ++i) {
    a.push_back(1 + std::sin(i * 0.7));
    b.push_back(a.back() + 0.01);
    c.push_back(1.01 + std::sin(i * 0.9 + 1));
  }
  const std::vector<Contender> contenders{{"b", 2, b}, {"c", 3, c}, {"a", 1, a}};
  const auto ranked = rank(contenders, lengths);
  REQUIRE(ranked.size() == 3);
  CHECK(ranked[0].target == "a");
  CHECK_FALSE(ranked[0].gap.has_value());
  for (std::size_t i = 1; i < 3; ++i) {
    CHECK(*ranked[i].gap >= 0);
    CHECK(ranked[i].kl >= ranked[i - 1].kl);
    if (ranked[i].target == "b" && ranked[i - 1].target == "a") {
      CHECK(ranked[i].ci95[0] < ranked[i - 1].ci95[1]);
      CHECK(ranked[i].apart);
      CHECK(*ranked[i].gap == doctest::Approx(0.01));
    }
    if (ranked[i].target == "c") CHECK_FALSE(ranked[i].apart);
  }
}

TEST_CASE("a candidate without a finite mean comes last") {
  const std::vector<double> broken{std::numeric_limits<double>::quiet_NaN()};
  const std::vector<double> fine{0.5};
  const std::vector<std::uint64_t> lengths{1};
  const auto ranked =
      rank(std::vector<Contender>{{"broken", 1, broken}, {"fine", 1, fine}}, lengths);
  CHECK(ranked[0].target == "fine");
  CHECK(ranked[1].target == "broken");
  CHECK_FALSE(ranked[1].apart);
}

}  // namespace ckpt::metrics
