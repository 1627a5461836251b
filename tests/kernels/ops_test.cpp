#include <doctest/doctest.h>

#include <bit>
#include <functional>

#include "tests/kernels/backends.h"
#include "validator/base/bits.h"

namespace ckpt::kernels::test {

namespace {

double sigmoid(double x) {
  return 1.0 / (1.0 + std::exp(-x));
}

// Distance in units of the last place of `want`, subnormals counted at their spacing.
double ulps(float got, double want) {
  if (std::isnan(want)) return std::isnan(got) ? 0 : 1e9;
  if (std::isinf(want) || std::isinf(got)) return double{got} == want ? 0 : 1e9;
  const int exponent = std::max(std::ilogb(std::max(std::abs(want), 1e-300)), -126);
  return std::abs(double{got} - want) / std::ldexp(1.0, exponent - 23);
}

}  // namespace

TEST_CASE("silu and sigmoid gates stay within 4 ulp of f64 over the whole range") {
  Backends backends;
  std::vector<float> x;
  for (float v = -120; v <= 120; v += 0.37F) x.push_back(v);
  for (const float v : {0.0F, -0.0F, 1e-30F, -1e-30F, 1e30F, kInf, kNan}) x.push_back(v);
  for (const auto& ops : backends.all) {
    CAPTURE(ops->name());
    std::vector<float> y = x;
    const auto n = static_cast<std::int64_t>(x.size());
    REQUIRE(ops->silu(rows_of(y, 1, n), Rounding::none));
    std::vector<float> s(x.size(), 1.0F);
    std::vector<float> gate = x;
    REQUIRE(ops->sigmoid_gate({heads_of(s, 1, 1, n), heads_of(gate, 1, 1, n), Rounding::none}));
    for (std::size_t i = 0; i < x.size(); ++i) {
      CAPTURE(x[i]);
      if (x[i] < -87) {  // exp(-x) overflows f32 there, as in the reference
        CHECK(std::abs(y[i]) < 1e-35F);
        CHECK(s[i] < 1e-37F);
      } else {
        CHECK(ulps(y[i], double{x[i]} * sigmoid(double{x[i]})) <= 4);
        CHECK(ulps(s[i], sigmoid(double{x[i]})) <= 4);
      }
    }
  }
}

TEST_CASE("rms_norm: every backend stays within 4 ulp of the f64 oracle") {
  Backends backends;
  for (const std::int64_t hidden : {1, 31, 128, 2048, 4304}) {
    const std::int64_t tokens = 3;
    std::vector<float> x = random_floats(tokens * hidden, 7);
    x[0] = 300;  // an outlier
    const std::vector<float> w = random_floats(hidden, 8, 0.1F);
    for (const auto& ops : backends.all) {
      CAPTURE(ops->name());
      CAPTURE(hidden);
      std::vector<float> y(x.size());
      REQUIRE(ops->rms_norm({.x = as_heads(rows_of(x, tokens, hidden)),
                             .y = as_heads(rows_of(y, tokens, hidden)),
                             .weight = w}));
      double worst = 0;
      for (std::int64_t t = 0; t < tokens; ++t) {
        double sum = 0;
        for (std::int64_t c = 0; c < hidden; ++c) {
          sum += std::pow(double{x[static_cast<std::size_t>(t * hidden + c)]}, 2);
        }
        const double factor = 1 / std::sqrt(sum / static_cast<double>(hidden) + double{1e-6F});
        for (std::int64_t c = 0; c < hidden; ++c) {
          const auto i = static_cast<std::size_t>(t * hidden + c);
          const double one_plus = double{1.0F + w[static_cast<std::size_t>(c)]};
          worst = std::max(worst, ulps(y[i], double{x[i]} * factor * one_plus));
        }
      }
      CHECK(worst <= 4);
    }
  }
}

TEST_CASE("rounded results are exactly the 16-bit roundings of validator/base") {
  Backends backends;
  std::vector<float> x = random_floats(4096, 3);
  Random random(5);
  for (std::size_t i = 0; i < x.size(); i += 2) {
    x[i] = std::bit_cast<float>(static_cast<std::uint32_t>(random.bits()));
  }
  for (const float v : {65504.0F, 65519.9F, 65520.0F, -65520.0F, 6e-8F, 2.9e-8F, 6.1e-5F, kInf}) {
    x.push_back(v);
  }
  const auto n = static_cast<std::int64_t>(x.size());
  std::vector<float> zero(x.size(), -0.0F);
  for (const auto& ops : backends.all) {
    std::vector<float> b = x;
    std::vector<float> f = x;
    REQUIRE(ops->add(rows_of(b, 1, n), rows_of(zero, 1, n), Rounding::bf16));
    REQUIRE(ops->add(rows_of(f, 1, n), rows_of(zero, 1, n), Rounding::f16));
    std::size_t wrong = 0;
    for (std::size_t i = 0; i < x.size(); ++i) {
      if (std::isnan(x[i])) {
        wrong += std::isnan(b[i]) && std::isnan(f[i]) ? 0U : 1U;
        continue;
      }
      wrong += same_bits(b[i], bf16_to_f32(f32_to_bf16(x[i]))) ? 0U : 1U;
      wrong += same_bits(f[i], f16_to_f32(f32_to_f16(x[i]))) ? 0U : 1U;
    }
    CHECK(wrong == 0);
  }
}

TEST_CASE("conv sees nothing before the start of its sequence") {
  Backends backends;
  const std::int64_t tokens = 9;
  const std::int64_t channels = 37;
  const std::int64_t width = 4;
  const std::vector<std::int64_t> starts{0, 2, 2, 9};
  std::vector<float> x = random_floats(tokens * channels, 1);
  const std::vector<float> w = random_floats(channels * width, 2);
  for (const auto& ops : backends.all) {
    std::vector<float> y(x.size(), kNan);
    REQUIRE(ops->conv(
        {rows_of(x, tokens, channels), rows_of(y, tokens, channels), w, starts, Rounding::none}));
    for (std::int64_t t = 0; t < tokens; ++t) {
      const std::int64_t first = t < 2 ? 0 : 2;
      for (std::int64_t c = 0; c < channels; ++c) {
        double want = 0;
        double magnitude = 0;
        for (std::int64_t j = 0; j < width; ++j) {
          const std::int64_t from = t - (width - 1) + j;
          if (from < first) continue;
          const double p = double{w[static_cast<std::size_t>(c * width + j)]} *
                           double{x[static_cast<std::size_t>(from * channels + c)]};
          want += p;
          magnitude += std::abs(p);
        }
        const double error = std::abs(double{y[static_cast<std::size_t>(t * channels + c)]} - want);
        CHECK(error <= 4 * 0x1p-24 * magnitude);  // three sums and a product
      }
    }
  }
}

TEST_CASE("rope turns the first dims of each head by its position in the sequence") {
  Backends backends;
  const std::int64_t tokens = 5;
  const std::int64_t heads = 2;
  const std::int64_t dim = 10;
  const std::int64_t half = 3;
  const std::vector<std::int64_t> starts{0, 2, 5};
  std::vector<float> c = random_floats(3 * half, 1);
  std::vector<float> s = random_floats(3 * half, 2);
  const std::vector<float> x = random_floats(tokens * heads * dim, 3);
  for (const auto& ops : backends.all) {
    std::vector<float> y = x;
    REQUIRE(ops->rope({heads_of(y, tokens, heads, dim), rows_of(c, 3, half), rows_of(s, 3, half),
                       starts, Rounding::none}));
    for (std::int64_t t = 0; t < tokens; ++t) {
      const std::int64_t position = t < 2 ? t : t - 2;
      for (std::int64_t h = 0; h < heads; ++h) {
        const auto at = static_cast<std::size_t>((t * heads + h) * dim);
        for (std::size_t j = 0; j < 3; ++j) {
          const float cosine = c[static_cast<std::size_t>(position * half) + j];
          const float sine = s[static_cast<std::size_t>(position * half) + j];
          CHECK(y[at + j] == x[at + j] * cosine - x[at + j + 3] * sine);
          CHECK(y[at + j + 3] == x[at + j + 3] * cosine + x[at + j] * sine);
        }
        for (std::size_t j = 6; j < 10; ++j) CHECK(y[at + j] == x[at + j]);
      }
    }
  }
}

TEST_CASE("gated_norm normalises first and gates after, rounding three times") {
  Backends backends;
  const std::int64_t dim = 35;
  const std::vector<float> x = random_floats(2 * dim, 1);
  std::vector<float> z = random_floats(2 * dim, 2);
  const std::vector<float> w = random_floats(dim, 3);
  const auto bf16 = [](double v) {
    return double{bf16_to_f32(f32_to_bf16(static_cast<float>(v)))};
  };
  for (const auto& ops : backends.all) {
    for (const Rounding rounding : {Rounding::none, Rounding::bf16}) {
      std::vector<float> y = x;
      REQUIRE(
          ops->gated_norm({heads_of(y, 2, 1, dim), heads_of(z, 2, 1, dim), w, 1e-6F, rounding}));
      for (std::size_t t = 0; t < 2; ++t) {
        double sum = 0;
        for (std::size_t i = 0; i < 35; ++i) sum += std::pow(double{x[t * 35 + i]}, 2);
        const double factor = 1 / std::sqrt(sum / 35 + double{1e-6F});
        for (std::size_t i = 0; i < 35; ++i) {
          const double gate = double{z[t * 35 + i]} * sigmoid(double{z[t * 35 + i]});
          const double n = double{x[t * 35 + i]} * factor;
          if (rounding == Rounding::none) {
            CHECK(ulps(y[t * 35 + i], n * double{w[i]} * gate) <= 8);
          } else {  // one step of bf16 when an f32 rounding falls on the other side of a tie
            const double want = bf16(bf16(double{w[i]} * bf16(n)) * gate);
            CHECK(std::abs(double{y[t * 35 + i]} - want) <= std::abs(want) * 0x1p-7);
          }
        }
      }
    }
  }
}

TEST_CASE("gather, scatter_add, moe_combine, subtract and row_squares do what they say") {
  Backends backends;
  const std::int64_t cols = 21;
  for (const auto& ops : backends.all) {
    std::vector<float> x = random_floats(6 * cols, 1);
    std::vector<float> g(static_cast<std::size_t>(3 * cols));
    const std::vector<std::int64_t> index{5, 0, 3};
    REQUIRE(ops->gather(rows_of(x, 6, cols), index, rows_of(g, 3, cols)));
    CHECK(g[0] == x[static_cast<std::size_t>(5 * cols)]);
    std::vector<float> y(x.size(), 1.0F);
    const std::vector<float> weight{2.0F, 0.5F, -1.0F};
    REQUIRE(
        ops->scatter_add(rows_of(g, 3, cols), weight, index, rows_of(y, 6, cols), Rounding::none));
    CHECK(y[static_cast<std::size_t>(3 * cols + 20)] ==
          1.0F - x[static_cast<std::size_t>(3 * cols + 20)]);
    CHECK(y[static_cast<std::size_t>(cols)] == 1.0F);
    std::vector<double> squares(6);
    REQUIRE(ops->row_squares(rows_of(x, 6, cols), rows_of(x, 6, cols), squares));
    CHECK(squares[4] == 0);
    REQUIRE(ops->row_squares(rows_of(x, 6, cols), {}, squares));
    double want = 0;
    for (std::size_t c = 0; c < 21; ++c) want += double{x[c]} * double{x[c]};
    CHECK(std::abs(squares[0] - want) <= 1e-13 * want);
    std::vector<float> gate{0, 100, -100, 0, 0, 0};
    std::vector<float> routed(x.size(), 0.25F);
    REQUIRE(ops->moe_combine(
        {rows_of(routed, 6, cols), rows_of(x, 6, cols), rows_of(gate, 6, 1), Rounding::none}));
    CHECK(routed[3] == 0.25F + 0.5F * x[3]);
    CHECK(routed[24] == 0.25F + x[24]);
    CHECK(routed[45] == doctest::Approx(0.25F));
  }
}

TEST_CASE("probe counts what does not fit f16 and names the first bad row") {
  Backends backends;
  std::vector<float> x(3 * 40, 1.0F);
  x[5] = -65504;
  x[45] = 65505;
  x[46] = kNan;
  x[90] = -kInf;
  for (const auto& ops : backends.all) {
    const auto range = ops->probe(rows_of(x, 3, 40));
    REQUIRE(range);
    CHECK(range->max_abs == 65505.0F);
    CHECK(range->above_f16 == 2);
    CHECK(range->nonfinite == 2);
    CHECK(range->first_nonfinite == 1);
  }
}

TEST_CASE("route: larger probability first, lower index on ties, weights sum to 1") {
  Backends backends;
  std::vector<float> logits{1,  3,    3, 0, 3,  //
                            0,  0,    0, 0, 0,  //
                            -5, kNan, 2, 1, 0};
  for (const auto& ops : backends.all) {
    std::vector<std::int32_t> ids(6);
    std::vector<float> weights(6);
    std::vector<float> margins(3);
    REQUIRE(ops->route({rows_of(logits, 3, 5), 2, ids, weights, margins, Rounding::none}));
    CHECK(ids[0] == 1);
    CHECK(ids[1] == 2);
    CHECK(margins[0] == 0);
    CHECK(weights[0] == 0.5F);
    CHECK(ids[2] == 0);
    CHECK(ids[3] == 1);
    CHECK(weights[2] + weights[3] == 1.0F);
    CHECK(std::isnan(weights[4]));
    CHECK((ids[4] >= 0 && ids[4] < 5));
  }
}

}  // namespace ckpt::kernels::test
