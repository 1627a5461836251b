#include <doctest/doctest.h>

#include <cmath>
#include <limits>

#include "validator/metrics/collector.h"
#include "validator/metrics/distribution.h"

namespace ckpt::metrics {

namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

}  // namespace

TEST_CASE("percentiles interpolate linearly, as numpy does by default") {
  const std::vector<double> sorted{1, 2, 4, 8};
  CHECK(percentile(sorted, 0) == 1);
  CHECK(percentile(sorted, 0.5) == 3);
  CHECK(percentile(sorted, 0.9) == doctest::Approx(6.8));  // numpy.percentile([1,2,4,8], 90)
  CHECK(percentile(sorted, 1) == 8);
  CHECK(percentile(std::vector<double>{7}, 0.99) == 7);
}

TEST_CASE("summarize: mean, clustered error and place of the maximum on a known case") {
  // Two sequences with means 1 and 3: SE^2 = 2/1 * (3^2 (1-2)^2 + 3^2 (3-2)^2) / 6^2 = 1.
  const std::vector<double> values{0, 1, 2, 2, 3, 4};
  const std::vector<std::uint64_t> lengths{3, 3};
  const results::Distribution d = summarize(values, lengths);
  CHECK(d.mean == 2);
  CHECK(d.median == 2);
  CHECK(d.se == doctest::Approx(1));
  // Independent positions: variance 2 / 6.
  CHECK(d.deff == doctest::Approx(3));
  CHECK(d.max == 4);
  CHECK(d.max_sequence == 1);
  CHECK(d.max_position == 2);
  CHECK(d.ci95[0] == 1);
  CHECK(d.ci95[1] == 3);
}

TEST_CASE("summarize: non-finite values are counted, and left out of everything else") {
  const std::vector<double> values{1, kNan, 3, std::numeric_limits<double>::infinity()};
  const std::vector<std::uint64_t> lengths{2, 2};
  const results::Distribution d = summarize(values, lengths);
  CHECK(d.positions == 4);
  CHECK(d.nonfinite == 2);
  CHECK(d.mean == 2);
  CHECK(d.max == 3);
  const results::Distribution none = summarize(std::vector<double>{kNan}, {});
  CHECK(none.nonfinite == 1);
  CHECK(std::isnan(none.mean));
}

TEST_CASE("summarize: constant values have no error, and the interval repeats to the bit") {
  const std::vector<double> zero(100, 0.0);
  const std::vector<std::uint64_t> lengths{50, 50};
  const results::Distribution d = summarize(zero, lengths);
  CHECK(d.se == 0);
  CHECK(d.ci95[0] == 0);
  CHECK(d.ci95[1] == 0);
  std::vector<double> values;
  for (int i = 0; i < 400; ++i) values.push_back(std::sin(i) * std::sin(i));
  const std::vector<std::uint64_t> four{100, 100, 100, 100};
  const results::Distribution a = summarize(values, four);
  const results::Distribution b = summarize(values, four);
  CHECK(a.ci95 == b.ci95);
  CHECK(a.ci95[0] < a.mean);
  CHECK(a.ci95[1] > a.mean);
  CHECK(summarize(values, four, 0).ci95 == a.ci95);
  const std::vector<std::uint64_t> twenty(20, 20);
  const results::Distribution other = summarize(values, twenty, 1);
  CHECK(other.ci95 != summarize(values, twenty).ci95);
  CHECK(other.mean == a.mean);
}

TEST_CASE("summarize: one sequence is cut into blocks that stand for sequences") {
  std::vector<double> values(1024, 0.0);
  for (std::size_t i = 512; i < 1024; ++i) values[i] = 1;  // four eighths of 0, four of 1
  const std::vector<std::uint64_t> one{1024};
  const results::Distribution d = summarize(values, one);
  CHECK(d.mean == 0.5);
  CHECK(d.se == doctest::Approx(std::sqrt(8.0 / 7.0 * 8 * 64 * 64 / (1024.0 * 1024.0))));
}

TEST_CASE("collector: router overlap, saliency, expert error and super experts by hand") {
  config::TextConfig config;
  config.num_hidden_layers = 1;
  config.layer_types = {config::LayerType::full_attention};
  Record record;
  record.lengths = {2};
  Collector collector(record, nullptr);
  const std::vector<std::int32_t> reference{0, 1, 2, 3};
  const std::vector<std::int32_t> local{0, 1, 2, 3};
  const std::vector<std::int32_t> candidate{1, 0, 2, 1};
  const std::vector<float> weights(4, 0.5F);
  const std::vector<float> margins{0.25F, 0};
  collector.on_routing(0, {2, reference, local, candidate, weights, weights, margins});
  const std::vector<std::int64_t> tokens{0, 1};
  const std::vector<float> gates{0.5F, 0.25F};
  const std::vector<double> output{4, 16};
  const std::vector<double> difference{1, 4};
  collector.on_expert(0, 0, {tokens, gates, output, difference});
  for (int e = 1; e < 4; ++e) collector.on_expert(0, e, {{}, {}, {}, {}});
  const std::vector<double> hidden{3, 6}, apart{0.01, 0.08}, update{1, 3}, locals{0.25, 0.75};
  collector.on_layer(0, {hidden, hidden, apart, update, locals});
  kernels::Divergence d;
  d.kl = 0.5;
  d.lse_reference = 2;
  d.lse_candidate = 3;
  d.label_reference = 1;
  d.label_candidate = 1;
  d.argmax_candidate = 1;
  d.confidence = 0.96;
  kernels::Divergence last = d;
  last.kl = kNan;
  collector.on_positions(0, std::vector{d, last});
  kernels::Range range;
  range.max_abs = 7;
  range.nonfinite = 2;
  record.taps.merge({0, forward::Point::expert_out}, forward::Stream::candidate, range, 1);
  const results::Metrics m = metrics_of(record, config);

  REQUIRE(m.layers.size() == 1);
  CHECK(m.layers[0].router_overlap == 0.75);
  CHECK(m.layers[0].router_overlap_local == 1);
  CHECK(m.layers[0].router_set_agreement == 0.5);
  CHECK(m.layers[0].boundary_ties == 1);
  CHECK(*m.layers[0].router_gate_tv == 0.25);  // the second token: half of both gates moved
  CHECK(m.layers[0].local_error == doctest::Approx(0.5));
  CHECK(m.layers[0].propagated_error == doctest::Approx(0.1));
  REQUIRE(m.experts.size() == 4);
  CHECK(*m.experts[0].tokens_candidate == 1);
  CHECK(*m.experts[1].tokens_candidate == 2);
  CHECK(*m.experts[3].tokens_candidate == 0);
  CHECK(*m.experts[0].error == doctest::Approx(0.5));
  CHECK(m.experts[0].saliency == 1.0);  // (0.5 * 2 + 0.25 * 4) / 2
  CHECK(m.experts[0].output_norm == 3.0);
  CHECK(m.experts[0].super_expert);
  CHECK_FALSE(m.experts[1].error.has_value());
  CHECK_FALSE(m.experts[1].super_expert);
  CHECK(m.confident_flips == 1);
  CHECK(m.top1 == 0);
  CHECK(m.kl.nonfinite == 1);
  CHECK(m.perplexity_reference == doctest::Approx(std::exp(1.0)));
  CHECK(m.delta_p_mean == doctest::Approx(std::exp(-2.0) - std::exp(-1.0)));
  REQUIRE(m.nonfinite.size() == 1);
  CHECK(m.nonfinite[0].stream == "candidate");
  CHECK(m.nonfinite[0].op == "expert out");
  CHECK(m.nonfinite[0].position == 1);
  CHECK(m.nonfinite_count == 2);
}

}  // namespace ckpt::metrics
