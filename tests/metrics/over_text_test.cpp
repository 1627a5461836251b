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
  const std::vector<std::uint64_t> lengths{4, 3};
  WorstPositions worst;
  const auto all = divergences(kl);
  worst.add(std::span(all).first(3));
  worst.add(std::span(all).subspan(3));
  const results::OverText o = worst.finish(kl, lengths);
  REQUIRE(o.positions.size() == 5);
  CHECK(o.positions[0].kl == 3);
  CHECK(o.positions[0].sequence == 1);
  CHECK(o.positions[0].position == 2);
  CHECK(o.positions[0].context.size() == 3);  // never beyond the sequence's begin
  CHECK(o.positions[0].context.back().kl == 3);
  CHECK(o.positions[1].position == 1);
  CHECK(o.positions[1].reference_id == 1);
  CHECK(o.positions[2].position == 3);
  CHECK(o.positions[0].reference_p == doctest::Approx(0.5));
  CHECK(o.positions[0].candidate_p == doctest::Approx(0.25));
}

TEST_CASE("many positions keep the 32 worst, however they arrive") {
  std::vector<double> kl(20'000);
  for (std::size_t i = 0; i < kl.size(); ++i) kl[i] = static_cast<double>((i * 7919) % 20'011);
  const std::vector<std::uint64_t> lengths{kl.size()};
  const auto all = divergences(kl);
  WorstPositions at_once;
  at_once.add(all);
  WorstPositions in_steps;
  for (std::size_t i = 0; i < all.size(); i += 100) in_steps.add(std::span(all).subspan(i, 100));
  const results::OverText a = at_once.finish(kl, lengths);
  const results::OverText b = in_steps.finish(kl, lengths);
  std::vector<double> sorted = kl;
  std::ranges::sort(sorted, std::greater<>());
  REQUIRE(a.positions.size() == 32);
  for (std::size_t i = 0; i < 32; ++i) {
    CHECK(a.positions[i].kl == sorted[i]);
    CHECK(b.positions[i].position == a.positions[i].position);
  }
  CHECK(a.stride == 20);
  REQUIRE(a.mean.size() == 1000);
  CHECK(a.mean[1] == doctest::Approx(std::accumulate(kl.begin() + 20, kl.begin() + 40, 0.0) / 20));
  CHECK(a.worst[1] == *std::max_element(kl.begin() + 20, kl.begin() + 40));
}

TEST_CASE("the histogram counts every finite value once, zero and huge ones in the outer bins") {
  const std::vector<double> kl{0, 1e-9, 0.5, 0.5, 1e6, std::nan("")};
  const results::OverText o = WorstPositions().finish(kl, std::vector<std::uint64_t>{kl.size()});
  CHECK(o.bin_edges.size() == o.bin_counts.size() + 1);
  CHECK(std::accumulate(o.bin_counts.begin(), o.bin_counts.end(), std::uint64_t{0}) == 5);
  CHECK(o.bin_counts.front() == 2);
  CHECK(o.bin_counts.back() == 1);
  for (std::size_t i = 1; i + 1 < o.bin_counts.size(); ++i) {
    const bool holds = o.bin_edges[i] <= 0.5 && 0.5 < o.bin_edges[i + 1];
    CHECK(o.bin_counts[i] == (holds ? 2 : 0));
  }
}

}  // namespace ckpt::metrics
