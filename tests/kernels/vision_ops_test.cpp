// The ops of the vision tower against f64.

#include <doctest/doctest.h>

#include <algorithm>
#include <map>

#include "tests/kernels/backends.h"
#include "validator/base/bits.h"

namespace ckpt::kernels::test {

namespace {

std::size_t sz(std::int64_t i) {
  return static_cast<std::size_t>(i);
}

/// o[t, h] = sum_s softmax(q k) v over the whole of each sequence.
std::vector<double> full_oracle(const std::vector<float>& q, const std::vector<float>& k,
                                const std::vector<float>& v, std::int64_t heads, std::int64_t dim,
                                const std::vector<std::int64_t>& starts) {
  const std::int64_t width = heads * dim;
  std::vector<double> out(q.size());
  for (std::size_t s = 0; s + 1 < starts.size(); ++s) {
    for (std::int64_t t = starts[s]; t < starts[s + 1]; ++t) {
      for (std::int64_t h = 0; h < heads; ++h) {
        std::vector<double> scores;
        for (std::int64_t u = starts[s]; u < starts[s + 1]; ++u) {
          double dot = 0;
          for (std::int64_t d = 0; d < dim; ++d) {
            dot += double{q[sz(t * width + h * dim + d)]} * double{k[sz(u * width + h * dim + d)]};
          }
          scores.push_back(dot / std::sqrt(static_cast<double>(dim)));
        }
        const double peak = *std::ranges::max_element(scores);
        double sum = 0;
        for (double& x : scores) sum += x = std::exp(x - peak);
        for (std::int64_t d = 0; d < dim; ++d) {
          double o = 0;
          for (std::size_t u = 0; u < scores.size(); ++u) {
            const std::int64_t row = starts[s] + static_cast<std::int64_t>(u);
            o += scores[u] / sum * double{v[sz(row * width + h * dim + d)]};
          }
          out[sz(t * width + h * dim + d)] = o;
        }
      }
    }
  }
  return out;
}

}  // namespace

TEST_CASE("full_attention: every token sees its whole sequence and nothing beyond") {
  Backends backends;
  for (const std::int64_t dim : {16, 72}) {
    const std::vector<std::int64_t> starts{0, 1, 200, 460};
    const std::int64_t heads = 3;
    const std::int64_t width = heads * dim;
    std::vector<float> q = random_floats(460 * width, 1);
    std::vector<float> k = random_floats(460 * width, 2);
    std::vector<float> v = random_floats(460 * width, 3);
    const std::vector<double> want = full_oracle(q, k, v, heads, dim, starts);
    std::map<std::string, std::vector<float>> first;
    for (const auto& ops : backends.all) {
      CAPTURE(ops->name());
      std::vector<float> o(q.size());
      const auto done = ops->full_attention(
          {heads_of(q, 460, heads, dim), heads_of(k, 460, heads, dim), heads_of(v, 460, heads, dim),
           heads_of(o, 460, heads, dim), 1 / std::sqrt(static_cast<float>(dim)), starts});
      REQUIRE(done);
      double worst = 0;
      for (std::size_t i = 0; i < o.size(); ++i) {
        const double error = std::abs(double{o[i]} - want[i]);
        if (!(error <= worst)) worst = error;
      }
      CHECK(worst <= 40 * 5 * 0x1p-24);  // as for the causal op
      CHECK(same_bits(first.try_emplace(family(*ops), o).first->second, o));
    }
  }
}

TEST_CASE("full_attention: NaN of a value reaches every token of its sequence, and no other") {
  Backends backends;
  const std::vector<std::int64_t> starts{0, 100, 250};
  std::vector<float> q = random_floats(250 * 32, 1);
  std::vector<float> k = random_floats(250 * 32, 2);
  std::vector<float> v = random_floats(250 * 32, 3);
  v[170 * 32 + 3] = kNan;
  for (const auto& ops : backends.all) {
    std::vector<float> o(q.size());
    const auto done =
        ops->full_attention({heads_of(q, 250, 1, 32), heads_of(k, 250, 1, 32),
                             heads_of(v, 250, 1, 32), heads_of(o, 250, 1, 32), 1, starts});
    REQUIRE(done);
    CHECK_FALSE(std::isnan(o[99 * 32 + 3]));
    CHECK(std::isnan(o[100 * 32 + 3]));
    CHECK(std::isnan(o[249 * 32 + 3]));
    CHECK_FALSE(std::isnan(o[249 * 32 + 4]));
  }
}

TEST_CASE("layer_norm: 4 ulp of the largest term, also far from zero, in place and strided") {
  Backends backends;
  for (const std::int64_t width : {1, 32, 1152}) {
    const std::int64_t stride = width + 3;
    std::vector<float> x = random_floats(5 * stride, 7);
    for (float& value : x) value += 1000;  // a mean that f32 sums would lose digits to
    const std::vector<float> w = random_floats(width, 8);
    const std::vector<float> b = random_floats(width, 9);
    for (const auto& ops : backends.all) {
      CAPTURE(ops->name());
      std::vector<float> y = x;
      const Rows rows{y.data(), 5, width, stride};
      const auto done = ops->layer_norm({.x = rows, .y = rows, .weight = w, .bias = b});
      REQUIRE(done);
      for (std::int64_t t = 0; t < 5; ++t) {
        double mean = 0;
        double variance = 0;
        for (std::int64_t c = 0; c < width; ++c) mean += double{x[sz(t * stride + c)]};
        mean /= static_cast<double>(width);
        for (std::int64_t c = 0; c < width; ++c) {
          variance += std::pow(double{x[sz(t * stride + c)]} - mean, 2);
        }
        variance /= static_cast<double>(width);
        for (std::int64_t c = 0; c < width; ++c) {
          const double scaled = (double{x[sz(t * stride + c)]} - mean) /
                                std::sqrt(variance + double{1e-6F}) * double{w[sz(c)]};
          const double want = scaled + double{b[sz(c)]};
          const double largest = std::max(std::abs(scaled), std::abs(double{b[sz(c)]}));
          CHECK(std::abs(double{y[sz(t * stride + c)]} - want) <= 4 * 0x1p-23 * largest);
        }
      }
      CHECK(same_bits(y[sz(width)], x[sz(width)]));  // between the rows
    }
  }
}

TEST_CASE("gelu of both kinds stays within its tolerance, and lets NaN and Inf through") {
  Backends backends;
  std::vector<float> x;
  for (float v = -40; v <= 40; v += 0.013F) x.push_back(v);
  const auto n = static_cast<std::int64_t>(x.size());
  for (const auto& ops : backends.all) {
    CAPTURE(ops->name());
    for (const Gelu kind : {Gelu::tanh, Gelu::erf}) {
      std::vector<float> y = x;
      const auto done = ops->gelu(rows_of(y, 1, n), kind, Rounding::none);
      REQUIRE(done);
      for (std::size_t i = 0; i < x.size(); ++i) {
        const double v = x[i];
        const double inner = std::sqrt(2 / 3.14159265358979323846) * (v + 0.044715 * v * v * v);
        const double want = kind == Gelu::tanh ? v / 2 * (1 + std::tanh(inner))
                                               : v / 2 * std::erfc(-v / std::sqrt(2.0));
        CAPTURE(v);
        CHECK(std::abs(double{y[i]} - want) <= 0x1p-21 * std::max(std::abs(v), 1.0));
      }
      std::vector<float> odd{kNan, kInf};
      REQUIRE(ops->gelu(rows_of(odd, 1, 2), kind, Rounding::none));
      CHECK(std::isnan(odd[0]));
      CHECK(odd[1] == kInf);
    }
    // The two kinds differ, by up to 4.7e-4 near 2.7: a mix-up would show.
    std::vector<float> a{2.7F};
    std::vector<float> b{2.7F};
    REQUIRE(ops->gelu(rows_of(a, 1, 1), Gelu::tanh, Rounding::none));
    REQUIRE(ops->gelu(rows_of(b, 1, 1), Gelu::erf, Rounding::none));
    CHECK(std::abs(a[0] - b[0]) > 1e-4F);
  }
}

TEST_CASE("add_bias adds the same row everywhere and rounds once") {
  Backends backends;
  const std::vector<float> bias{1.0F, 0.001953125F};
  for (const auto& ops : backends.all) {
    std::vector<float> x{0.001953125F, 1.0F, 2.0F, 3.0F};
    const auto done = ops->add_bias(rows_of(x, 2, 2), bias, Rounding::bf16);
    REQUIRE(done);
    CHECK(x == std::vector<float>{1.0F, 1.0F, 3.0F, 3.0F});
    CHECK_FALSE(ops->add_bias(rows_of(x, 1, 4), bias, Rounding::none));
  }
}

}  // namespace ckpt::kernels::test
