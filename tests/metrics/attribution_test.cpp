#include "validator/metrics/attribution.h"

#include <doctest/doctest.h>

namespace ckpt::metrics {

namespace {

results::Cost cost(const std::string& kind, int layer, const std::string& cls, double gain) {
  results::Cost c;
  c.kind = kind;
  c.layer = layer;
  c.module_class = cls;
  c.kl = gain;
  c.gain = gain;
  return c;
}

using arch::ModuleClass;

const std::vector<results::Cost> kCosts{
    cost("layer", 0, "", 0.004), cost("layer", 1, "", 0.002), cost("layer", 2, "", 0.001),
    cost("class", -1, "routed_expert", 0.006), cost("class", -1, "full_attention", 0.001)};

// Experts weigh a hundred times what attention does; layer 0 has both.
const std::vector<Candidate> kCandidates{{0, ModuleClass::full_attention, 10},
                                         {0, ModuleClass::routed_expert, 1000},
                                         {1, ModuleClass::routed_expert, 1000},
                                         {2, ModuleClass::routed_expert, 1000}};

}  // namespace

TEST_CASE("costs, gains and the control come out of the variants' order") {
  const std::vector<Unit> units{{.kind = Unit::Kind::layer, .layer = 5},
                                {.kind = Unit::Kind::cls, .cls = ModuleClass::router}};
  const auto variants = variants_of(units);
  REQUIRE(variants.size() == 5);
  CHECK(variants[0].picks.empty());
  CHECK(variants[1].follows == forward::Stream::reference);
  CHECK(variants[3].follows == forward::Stream::candidate);
  CHECK(variants[3].source(5, ModuleClass::head) == forward::Stream::reference);
  CHECK(variants[4].source(5, ModuleClass::router) == forward::Stream::reference);
  CHECK(variants[4].source(5, ModuleClass::head) == forward::Stream::candidate);

  const std::vector<double> kl{4, 6};
  const std::vector<std::vector<double>> of{{0, 0}, {1, 2}, {0.5, 0.5}, {3, 3}, {5, 5}};
  const std::vector<std::uint64_t> lengths{1, 1};
  const auto costs = costs_of(units, {kl, of, lengths});
  REQUIRE(costs.size() == 2);
  CHECK(costs[0].kl == 1.5);
  CHECK(costs[0].gain == 2);
  CHECK(costs[1].module_class == "router");
  CHECK(costs[1].gain == 0);
  CHECK(control_of({kl, of, lengths}) == 0);
  CHECK(additivity(5, costs) == 2.5);
}

TEST_CASE("advice takes what gives most per byte and no more than it needs") {
  const results::Advice small = advise(0.010, 0.0098, kCosts, kCandidates);
  REQUIRE(small.promotions.size() == 1);
  CHECK(small.promotions[0].module_class == "full_attention");
  CHECK(small.extra_bytes == 10);
  CHECK(small.reaches);

  // Reaching 0.007 takes layer 0's experts; their gain alone does it, attention is superfluous.
  const results::Advice large = advise(0.010, 0.0079, kCosts, kCandidates);
  CHECK(large.reaches);
  CHECK(large.predicted < 0.0079);
  CHECK(large.extra_bytes >= 1000);
  double predicted = 0.010;
  for (const results::Promotion& p : large.promotions) {
    predicted -= p.gain;
    CHECK(p.predicted_kl == doctest::Approx(predicted));
  }
}

TEST_CASE("advice that cannot reach the limit says so and promotes everything that helps") {
  const results::Advice a = advise(0.010, 0.0001, kCosts, kCandidates);
  CHECK_FALSE(a.reaches);
  CHECK(a.promotions.size() == 4);
  CHECK(a.predicted == doctest::Approx(0.010 - 0.007));
  CHECK(advise(0.010, 0.005, {}, kCandidates).promotions.empty());
}

}  // namespace ckpt::metrics
