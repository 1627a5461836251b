#include "validator/base/exact_sum.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <vector>

namespace ckpt {

namespace {

std::vector<double> terms(std::size_t count) {
  std::mt19937_64 random(7);
  std::vector<double> out;
  for (std::size_t i = 0; i < count; ++i) {
    const double magnitude =
        std::ldexp(static_cast<double>(random() >> 11), static_cast<int>(random() % 160) - 150);
    out.push_back(random() % 3 == 0 ? -magnitude : magnitude);
  }
  return out;
}

double sum_of(const std::vector<double>& values) {
  ExactSum sum;
  for (const double v : values) sum += v;
  return sum.value();
}

}  // namespace

TEST_CASE("the order of the terms and how they are split change no bit") {
  std::vector<double> values = terms(5000);
  const double want = sum_of(values);
  std::mt19937_64 random(9);
  for (int round = 0; round < 5; ++round) {
    std::ranges::shuffle(values, random);
    CHECK(sum_of(values) == want);
    ExactSum a, b;
    for (std::size_t i = 0; i < values.size(); ++i) (i % 7 == 0 ? a : b) += values[i];
    b.merge(a);
    CHECK(b.value() == want);
    const auto words = b.words();
    CHECK(ExactSum::from_words(words).value() == want);
  }
}

TEST_CASE("nothing is lost beside large terms, and cancellation is exact") {
  CHECK(sum_of({1e60, 1.0, -1e60}) == 1.0);
  CHECK(sum_of({0x1p200, 0x1p-200, -0x1p200, -0x1p-200}) == 0.0);
  CHECK(sum_of({-3.5, 1.25}) == -2.25);
  CHECK(sum_of({}) == 0.0);
  CHECK(sum_of({0.1, 0.2, 0.3}) == doctest::Approx(0.6).epsilon(1e-15));
  CHECK(sum_of({std::numeric_limits<double>::denorm_min()}) == 0.0);
}

TEST_CASE("a non-finite term shows in the sum, wherever it stands") {
  const double inf = std::numeric_limits<double>::infinity();
  CHECK(sum_of({1, inf, 2}) == inf);
  CHECK(std::isnan(sum_of({inf, 1, -inf})));
  CHECK(std::isnan(sum_of({1, std::nan(""), inf})));
}

}  // namespace ckpt
