// The worst positions, the curves and the histogram against counts done by hand.

#include "validator/metrics/over_text.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <numeric>

namespace ckpt::metrics {
namespace {

std::vector<kernels::Divergence> divergences(const std::vector<double>& kl) {
  std::vector<kernels::Divergence> out;
  for (const double v : kl) {
    kernels::Divergence d;
    d.kl = v;
    d.argmax_reference = static_cast<std::int64_t>(out.size());
    d.argmax_candidate = 7;
    d.max_reference = 3;
    d.lse_reference = 3 + std::log(2.0);
    d.max_candidate = 1;
    d.lse_candidate = 1 + std::log(4.0);
    out.push_back(d);
  }
  return out;
}

}  // namespace

TEST_CASE(
    "the worst positions: largest first, earlier first among equals, what is no number left out") {
  const std::vector<double> kl{0.1, 2, std::nan(""), 2, 0.5, HUGE_VAL, 3};
  Record record;
  record.positions = divergences(kl);
  record.lengths = {4, 3};
  TopPair top;
  top.index = 1;
  top.reference = {{1, 4, -1, -1, -1}, {3, 2, 0, 0, 0}};
  record.tops = {top};
  const results::OverText o = over_text_of(record, kl);
  REQUIRE(o.positions.size() == 5);
  CHECK(o.positions[0].kl == 3);
  CHECK(o.positions[0].sequence == 1);
  CHECK(o.positions[0].position == 2);
  CHECK(o.positions[0].context.size() == 3);  // never beyond the sequence's begin
  CHECK(o.positions[0].context.back().kl == 3);
  CHECK(o.positions[1].position == 1);
  CHECK(o.positions[1].reference_id == 1);
  // Probabilities of a half and of a quarter of e, and nothing beyond what was kept.
  REQUIRE(o.positions[1].reference_top.size() == 2);
  CHECK(o.positions[1].reference_top[0].log_p == doctest::Approx(std::log(0.5)));
  CHECK(o.positions[1].reference_top[1].id == 4);
  CHECK(o.positions[1].reference_top[1].log_p == doctest::Approx(std::log(0.5) - 1));
  CHECK(o.positions[1].candidate_top.empty());
  CHECK(o.positions[0].reference_top.empty());
  CHECK(o.positions[2].position == 3);
  CHECK(o.positions[0].reference_p == doctest::Approx(0.5));
  CHECK(o.positions[0].candidate_p == doctest::Approx(0.25));
}

TEST_CASE("many positions keep the 32 worst, however they are cut") {
  std::vector<double> kl(20'000);
  for (std::size_t i = 0; i < kl.size(); ++i) kl[i] = static_cast<double>((i * 7919) % 20'011);
  Record record;
  record.lengths = {kl.size()};
  record.positions = divergences(kl);
  const results::OverText a = over_text_of(record, kl);
  std::vector<TopPair> in_steps;
  for (std::size_t i = 0; i < kl.size(); ++i) {
    in_steps.push_back({i, {}, {}});
    if (i % 100 == 99) keep_worst(in_steps, record.positions);
  }
  std::vector<double> sorted = kl;
  std::ranges::sort(sorted, std::greater<>());
  REQUIRE(a.positions.size() == 32);
  REQUIRE(in_steps.size() == 32);
  for (std::size_t i = 0; i < 32; ++i) {
    CHECK(a.positions[i].kl == sorted[i]);
    CHECK(a.positions[i].position == in_steps[i].index);
  }
  CHECK(a.stride == 20);
  REQUIRE(a.mean.size() == 1000);
  CHECK(a.mean[1] == doctest::Approx(std::accumulate(kl.begin() + 20, kl.begin() + 40, 0.0) / 20));
  CHECK(a.worst[1] == *std::max_element(kl.begin() + 20, kl.begin() + 40));
}

TEST_CASE("the histogram counts every finite value once, zero and huge ones in the outer bins") {
  const std::vector<double> kl{0, 1e-9, 0.5, 0.5, 1e6, std::nan("")};
  Record record;
  record.positions = divergences(kl);
  record.lengths = {kl.size()};
  const results::OverText o = over_text_of(record, kl);
  CHECK(o.bin_edges.size() == o.bin_counts.size() + 1);
  CHECK(std::accumulate(o.bin_counts.begin(), o.bin_counts.end(), std::uint64_t{0}) == 5);
  CHECK(o.bin_counts.front() == 2);
  CHECK(o.bin_counts.back() == 1);
  for (std::size_t i = 1; i + 1 < o.bin_counts.size(); ++i) {
    const bool holds = o.bin_edges[i] <= 0.5 && 0.5 < o.bin_edges[i + 1];
    CHECK(o.bin_counts[i] == (holds ? 2 : 0));
  }
}

TEST_CASE(
    "the top tokens: the largest logits, the lower id among equals, never what is no number") {
  const float inf = HUGE_VALF;
  const TopTokens top =
      top_tokens(std::vector<float>{1, 5, std::nanf(""), 5, -inf, 2, 9, 1, -3, inf});
  CHECK(top.id == std::array<std::int32_t, kTopTokens>{9, 6, 1, 3, 5});
  CHECK(top.logit[1] == 9);
  const TopTokens few = top_tokens(std::vector<float>{-1, std::nanf(""), -inf});
  CHECK(few.id == std::array<std::int32_t, kTopTokens>{0, 2, -1, -1, -1});
}

}  // namespace ckpt::metrics
