#include <doctest/doctest.h>

#include <bit>
#include <map>

#include "tests/kernels/backends.h"

namespace ckpt::kernels::test {

namespace {

struct Shape {
  std::int64_t heads, kv_heads, dim, value_dim;
  std::vector<std::int64_t> starts;

  [[nodiscard]] std::int64_t tokens() const { return starts.back(); }
};

std::size_t at(std::int64_t t, std::int64_t h, std::int64_t d, std::int64_t heads,
               std::int64_t dim) {
  return static_cast<std::size_t>((t * heads + h) * dim + d);
}

std::vector<double> attention_oracle(const Shape& s, const std::vector<float>& q,
                                     const std::vector<float>& k, const std::vector<float>& v) {
  std::vector<double> o(q.size());
  const double scale = double{1.0F / std::sqrt(static_cast<float>(s.dim))};
  for (std::size_t i = 0; i + 1 < s.starts.size(); ++i) {
    for (std::int64_t t = s.starts[i]; t < s.starts[i + 1]; ++t) {
      for (std::int64_t h = 0; h < s.heads; ++h) {
        const std::int64_t kv = h / (s.heads / s.kv_heads);
        double sum = 0;
        for (std::int64_t u = s.starts[i]; u <= t; ++u) {
          double score = 0;
          for (std::int64_t d = 0; d < s.dim; ++d) {
            score +=
                double{q[at(t, h, d, s.heads, s.dim)]} * double{k[at(u, kv, d, s.kv_heads, s.dim)]};
          }
          const double weight = std::exp(score * scale);
          sum += weight;
          for (std::int64_t d = 0; d < s.dim; ++d) {
            o[at(t, h, d, s.heads, s.dim)] += weight * double{v[at(u, kv, d, s.kv_heads, s.dim)]};
          }
        }
        for (std::int64_t d = 0; d < s.dim; ++d) o[at(t, h, d, s.heads, s.dim)] /= sum;
      }
    }
  }
  return o;
}

struct DeltaCase {
  Shape s;
  std::vector<float> q, k, v, b, a, a_log, dt_bias;
};

DeltaCase delta_case(const Shape& s, std::uint64_t seed) {
  const std::int64_t t = s.tokens();
  return {s,
          random_floats(t * s.kv_heads * s.dim, seed),
          random_floats(t * s.kv_heads * s.dim, seed + 1),
          random_floats(t * s.heads * s.value_dim, seed + 2),
          random_floats(t * s.heads, seed + 3),
          random_floats(t * s.heads, seed + 4),
          random_floats(s.heads, seed + 5),
          random_floats(s.heads, seed + 6)};
}

// The recurrence of architecture 3.5, token by token in f64.
std::vector<double> delta_oracle(const DeltaCase& c) {
  const Shape& s = c.s;
  std::vector<double> o(c.v.size());
  const auto dk = static_cast<std::size_t>(s.dim);
  const auto dv = static_cast<std::size_t>(s.value_dim);
  for (std::size_t i = 0; i + 1 < s.starts.size(); ++i) {
    for (std::int64_t h = 0; h < s.heads; ++h) {
      const std::int64_t kh = h / (s.heads / s.kv_heads);
      std::vector<double> state(dk * dv);
      for (std::int64_t t = s.starts[i]; t < s.starts[i + 1]; ++t) {
        const float* q = &c.q[at(t, kh, 0, s.kv_heads, s.dim)];
        const float* k = &c.k[at(t, kh, 0, s.kv_heads, s.dim)];
        double qq = 1e-6;
        double kk = 1e-6;
        for (std::size_t d = 0; d < dk; ++d) qq += double{q[d]} * double{q[d]};
        for (std::size_t d = 0; d < dk; ++d) kk += double{k[d]} * double{k[d]};
        const auto ht = static_cast<std::size_t>(t * s.heads + h);
        const auto hh = static_cast<std::size_t>(h);
        const double beta = 1 / (1 + std::exp(-double{c.b[ht]}));
        const double x = double{c.a[ht]} + double{c.dt_bias[hh]};
        const double g = -std::exp(double{c.a_log[hh]}) * (x > 20 ? x : std::log1p(std::exp(x)));
        for (double& value : state) value *= std::exp(g);
        for (std::size_t e = 0; e < dv; ++e) {
          double seen = 0;
          for (std::size_t d = 0; d < dk; ++d)
            seen += state[d * dv + e] * double{k[d]} / std::sqrt(kk);
          const double delta = beta * (double{c.v[at(t, h, 0, s.heads, s.value_dim) + e]} - seen);
          double out = 0;
          for (std::size_t d = 0; d < dk; ++d) {
            state[d * dv + e] += double{k[d]} / std::sqrt(kk) * delta;
            out += state[d * dv + e] * double{q[d]};
          }
          o[at(t, h, 0, s.heads, s.value_dim) + e] =
              out / std::sqrt(qq) / std::sqrt(static_cast<double>(s.dim));
        }
      }
    }
  }
  return o;
}

std::vector<float> run_delta(Ops& ops, DeltaCase& c) {
  const Shape& s = c.s;
  const std::int64_t t = s.tokens();
  std::vector<float> o(c.v.size(), kNan);
  REQUIRE(ops.delta_rule({.q = heads_of(c.q, t, s.kv_heads, s.dim),
                          .k = heads_of(c.k, t, s.kv_heads, s.dim),
                          .v = heads_of(c.v, t, s.heads, s.value_dim),
                          .b = rows_of(c.b, t, s.heads),
                          .a = rows_of(c.a, t, s.heads),
                          .a_log = c.a_log,
                          .dt_bias = c.dt_bias,
                          .o = heads_of(o, t, s.heads, s.value_dim),
                          .starts = s.starts}));
  return o;
}

std::vector<float> run_attention(Ops& ops, const Shape& s, std::vector<float>& q,
                                 std::vector<float>& k, std::vector<float>& v) {
  std::vector<float> o(q.size(), kNan);
  const std::int64_t t = s.tokens();
  REQUIRE(ops.attention({heads_of(q, t, s.heads, s.dim), heads_of(k, t, s.kv_heads, s.dim),
                         heads_of(v, t, s.kv_heads, s.dim), heads_of(o, t, s.heads, s.dim),
                         1.0F / std::sqrt(static_cast<float>(s.dim)), s.starts, Rounding::none}));
  return o;
}

const Shape kAttention[] = {{1, 1, 1, 1, {0, 1}},     {4, 2, 32, 32, {0, 130, 131, 260}},
                            {6, 1, 40, 40, {0, 77}},  {8, 2, 64, 64, {0, 300}},
                            {2, 2, 72, 72, {0, 50}},  {2, 1, 128, 128, {0, 33}},
                            {2, 1, 256, 256, {0, 45}}};
const Shape kDelta[] = {{1, 1, 1, 1, {0, 1}},
                        {4, 2, 32, 32, {0, 63, 64, 193}},
                        {2, 2, 24, 40, {0, 130}},
                        {6, 2, 17, 33, {0, 200}},
                        {2, 1, 128, 128, {0, 100}}};

}  // namespace

TEST_CASE("attention agrees with the f64 oracle within each sequence") {
  Backends backends;
  for (const Shape& s : kAttention) {
    const std::int64_t t = s.tokens();
    std::vector<float> q = random_floats(t * s.heads * s.dim, 1);
    std::vector<float> k = random_floats(t * s.kv_heads * s.dim, 2);
    std::vector<float> v = random_floats(t * s.kv_heads * s.dim, 3);
    const std::vector<double> want = attention_oracle(s, q, k, v);
    std::map<std::string, std::vector<float>> first;
    for (const auto& ops : backends.all) {
      CAPTURE(ops->name());
      const std::vector<float> got = run_attention(*ops, s, q, k, v);
      double worst = 0;
      for (std::size_t i = 0; i < got.size(); ++i) {
        const double error = std::abs(double{got[i]} - want[i]);
        if (!(error <= worst)) worst = error;
      }
      // Scores of up to 40 carry 2^-24 * 40 into the exponent; values are up to 5.
      CHECK(worst <= 40 * 5 * 0x1p-24);
      CHECK(same_bits(first.try_emplace(family(*ops), got).first->second, got));
    }
  }
}

TEST_CASE("attention: NaN reaches the token that has it and later ones, not earlier ones") {
  Backends backends;
  const Shape s{4, 2, 32, 32, {0, 150}};
  std::vector<float> q = random_floats(150 * 4 * 32, 1);
  std::vector<float> k = random_floats(150 * 2 * 32, 2);
  std::vector<float> v = random_floats(150 * 2 * 32, 3);
  v[at(70, 1, 3, 2, 32)] = kNan;
  for (const auto& ops : backends.all) {
    const std::vector<float> o = run_attention(*ops, s, q, k, v);
    CHECK_FALSE(std::isnan(o[at(69, 2, 3, 4, 32)]));
    CHECK(std::isnan(o[at(70, 2, 3, 4, 32)]));
    CHECK(std::isnan(o[at(149, 3, 3, 4, 32)]));
    CHECK_FALSE(std::isnan(o[at(149, 1, 3, 4, 32)]));
  }
}

TEST_CASE("delta_rule in chunks agrees with the token by token recurrence") {
  Backends backends;
  for (const Shape& s : kDelta) {
    DeltaCase c = delta_case(s, 11);
    const std::vector<double> want = delta_oracle(c);
    std::map<std::string, std::vector<float>> first;
    for (const auto& ops : backends.all) {
      CAPTURE(ops->name());
      CAPTURE(s.dim);
      const std::vector<float> got = run_delta(*ops, c);
      double error = 0;
      double norm = 0;
      for (std::size_t i = 0; i < got.size(); ++i) {
        error += std::pow(double{got[i]} - want[i], 2);
        norm += want[i] * want[i];
      }
      // About 64 roundings feed each element, at random: 8 * 2^-24, with a factor of 4.
      CHECK(std::sqrt(error / norm) <= 32 * 0x1p-24);
      CHECK(same_bits(first.try_emplace(family(*ops), got).first->second, got));
    }
  }
}

TEST_CASE("delta_rule: NaN reaches later tokens of its head and nothing else") {
  Backends backends;
  DeltaCase c = delta_case({4, 2, 32, 32, {0, 100, 150}}, 3);
  c.v[at(50, 1, 0, 4, 32)] = kNan;
  for (const auto& ops : backends.all) {
    const std::vector<float> o = run_delta(*ops, c);
    CHECK_FALSE(std::isnan(o[at(49, 1, 0, 4, 32)]));
    CHECK(std::isnan(o[at(50, 1, 0, 4, 32)]));
    CHECK(std::isnan(o[at(99, 1, 0, 4, 32)]));
    CHECK_FALSE(std::isnan(o[at(99, 0, 0, 4, 32)]));
    CHECK_FALSE(std::isnan(o[at(100, 1, 0, 4, 32)]));
  }
}

TEST_CASE("divergence agrees with f64 and is exactly 0 for equal logits") {
  Backends backends;
  for (const std::int64_t vocab : {1, 5, 96, 2048, 50001}) {
    const std::int64_t rows = 3;
    std::vector<float> z = random_floats(rows * vocab, 1, 3);
    std::vector<float> w = z;
    const std::vector<float> noise = random_floats(rows * vocab, 2, 0.1F);
    for (std::size_t i = 0; i < w.size() * 2 / 3; ++i) w[i] += noise[i];  // the last row is equal
    const std::vector<std::int64_t> labels{0, vocab - 1, -1};
    for (const auto& ops : backends.all) {
      CAPTURE(ops->name());
      CAPTURE(vocab);
      std::vector<Divergence> got(3);
      REQUIRE(ops->divergence({rows_of(z, rows, vocab), rows_of(w, rows, vocab), labels, got}));
      for (std::size_t r = 0; r < 3; ++r) {
        const float* a = &z[r * static_cast<std::size_t>(vocab)];
        const float* b = &w[r * static_cast<std::size_t>(vocab)];
        double za = 0, zb = 0;
        for (std::int64_t i = 0; i < vocab; ++i) za += std::exp(double{a[i]});
        for (std::int64_t i = 0; i < vocab; ++i) zb += std::exp(double{b[i]});
        double kl = 0, reverse = 0, js = 0, tv = 0, entropy = 0;
        for (std::int64_t i = 0; i < vocab; ++i) {
          const double la = double{a[i]} - std::log(za);
          const double lb = double{b[i]} - std::log(zb);
          const double p = std::exp(la), q = std::exp(lb), m = (p + q) / 2;
          kl += p * (la - lb);
          reverse += q * (lb - la);
          js += (p * (la - std::log(m)) + q * (lb - std::log(m))) / 2;
          tv += std::abs(p - q) / 2;
          entropy -= p * la;
        }
        // Exponentials within 2 ulp, sums in f64: each logarithm of a sum is off by 2^-22 at most.
        const double slack = 2 * 0x1p-22 * (1 + kl);
        CHECK(std::abs(got[r].kl - kl) <= slack);
        CHECK(std::abs(got[r].kl_reverse - reverse) <= slack);
        CHECK(std::abs(got[r].js - js) <= 1e-5 * js + 1e-12);
        CHECK(std::abs(got[r].tv - tv) <= 1e-6 * tv + 1e-9);
        CHECK(std::abs(got[r].entropy - entropy) <= 1e-6 * (1 + entropy));
        CHECK(std::abs(got[r].lse_reference - std::log(za)) <= 1e-6);
        CHECK(got[r].js <= (got[r].kl + got[r].kl_reverse) / 4 + 1e-12);
      }
      CHECK(got[2].kl == 0);
      CHECK(got[2].kl_reverse == 0);
      CHECK(got[2].js == 0);
      CHECK(got[2].tv == 0);
    }
  }
}

TEST_CASE("divergence: non-finite logits give NaN and a count, never a number") {
  Backends backends;
  std::vector<float> z(20, 1.0F);
  std::vector<float> w(20, 1.0F);
  w[3] = kNan;
  w[4] = kInf;
  const std::vector<std::int64_t> labels{7};
  for (const auto& ops : backends.all) {
    std::vector<Divergence> got(1);
    REQUIRE(ops->divergence({rows_of(z, 1, 20), rows_of(w, 1, 20), labels, got}));
    CHECK(std::isnan(got[0].kl));
    CHECK(got[0].nonfinite_candidate == 2);
    CHECK(got[0].nonfinite_reference == 0);
  }
}

}  // namespace ckpt::kernels::test
