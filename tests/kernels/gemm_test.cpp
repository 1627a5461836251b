#include <doctest/doctest.h>

#include <bit>

#include "tests/kernels/backends.h"
#include "validator/base/bits.h"

namespace ckpt::kernels::test {

namespace {

struct Size {
  std::int64_t t, n, k;
};

constexpr Size kSizes[] = {{1, 1, 1},     {1, 33, 7},    {3, 31, 40},    {5, 64, 256},
                           {13, 70, 257}, {12, 32, 512}, {25, 100, 520}, {400, 40, 136}};

// Largest error of y against f64, in units of the contract: (256 + K/256) 2^-24 sum |x||w|.
double worst_error(const std::vector<float>& x, const std::vector<float>& w,
                   const std::vector<float>& y, Size s) {
  double worst = 0;
  for (std::int64_t t = 0; t < s.t; ++t) {
    for (std::int64_t n = 0; n < s.n; ++n) {
      double want = 0;
      double magnitude = 1e-30;
      for (std::int64_t k = 0; k < s.k; ++k) {
        const double p = double{x[static_cast<std::size_t>(t * s.k + k)]} *
                         double{w[static_cast<std::size_t>(n * s.k + k)]};
        want += p;
        magnitude += std::abs(p);
      }
      const double unit = (256.0 + static_cast<double>(s.k) / 256.0) * 0x1p-24 * magnitude;
      const double error = std::abs(double{y[static_cast<std::size_t>(t * s.n + n)]} - want) / unit;
      if (!(error <= worst)) worst = error;
    }
  }
  return worst;
}

std::vector<float> multiply(Ops& ops, std::vector<float>& x, const MatrixView& view,
                            std::int64_t tokens, Rounding rounding = Rounding::none,
                            bool x_is_bf16 = false) {
  std::vector<float> y(static_cast<std::size_t>(tokens * view.n), kNan);
  auto w = ops.matrix(view);
  REQUIRE(w);
  const GemmPart part{w->get(), rows_of(y, tokens, view.n)};
  REQUIRE(ops.gemm({rows_of(x, tokens, view.k), {&part, 1}, rounding, x_is_bf16}));
  return y;
}

// A packed matrix with its f32 decoding, built code by code.
struct PackedCase {
  MatrixView view;
  std::vector<std::uint32_t> words, zeros;
  std::vector<std::uint16_t> scales;
  std::vector<std::int32_t> group_of_k;
  std::vector<float> decoded;
};

void put(std::vector<std::uint32_t>& words, std::int64_t first, std::int64_t stride,
         std::int64_t index, unsigned bits, std::uint32_t code) {
  for (unsigned b = 0; b < bits; ++b) {
    const std::int64_t bit = index * static_cast<std::int64_t>(bits) + static_cast<std::int64_t>(b);
    words[static_cast<std::size_t>(first + bit / 32 * stride)] |= ((code >> b) & 1U) << (bit % 32);
  }
}

// GPTQ layout: words [K*b/32, N], zeros [G, N*b/32], scales [G, N] F16.
PackedCase gptq_case(Size s, unsigned bits, std::int64_t group, bool shuffled) {
  PackedCase c;
  Random random(static_cast<std::uint64_t>(s.n * 131 + s.k) + bits);
  const std::int64_t groups = (s.k + group - 1) / group;
  const std::int64_t word_rows = (s.k * static_cast<std::int64_t>(bits) + 31) / 32;
  const std::int64_t zero_words = (s.n * static_cast<std::int64_t>(bits) + 31) / 32;
  c.words.resize(static_cast<std::size_t>(word_rows * s.n));
  c.zeros.resize(static_cast<std::size_t>(groups * zero_words));
  std::vector<std::int32_t> zero_values;
  for (std::int64_t g = 0; g < groups; ++g) {
    for (std::int64_t n = 0; n < s.n; ++n) {
      const auto zero = static_cast<std::uint32_t>(random.bits() & ((1U << bits) - 1));
      put(c.zeros, g * zero_words, 1, n, bits, zero);
      zero_values.push_back(static_cast<std::int32_t>(zero) + 1);
      c.scales.push_back(f32_to_f16(random.normal() * 0.01F));
    }
  }
  for (std::int64_t k = 0; k < s.k; ++k) {
    const std::int64_t g = shuffled ? (k * 7) % groups : k / group;
    if (shuffled) c.group_of_k.push_back(static_cast<std::int32_t>(g));
  }
  for (std::int64_t n = 0; n < s.n; ++n) {
    for (std::int64_t k = 0; k < s.k; ++k) {
      const std::int64_t g = shuffled ? (k * 7) % groups : k / group;
      const auto code = static_cast<std::uint32_t>(random.bits() & ((1U << bits) - 1));
      put(c.words, n, s.n, k, bits, code);
      const auto at = static_cast<std::size_t>(g * s.n + n);
      c.decoded.push_back(f16_to_f32(c.scales[at]) *
                          static_cast<float>(static_cast<std::int32_t>(code) - zero_values[at]));
    }
  }
  c.view = {.storage = Storage::packed,
            .n = s.n,
            .k = s.k,
            .data = bytes_of(c.words),
            .zeros = bytes_of(c.zeros),
            .scales = bytes_of(c.scales),
            .group_of_k = bytes_of(c.group_of_k)};
  c.view.packed.bits = bits;
  c.view.packed.zero_offset = 1;
  c.view.packed.groups = groups;
  c.view.packed.group_size = group;
  return c;
}

}  // namespace

TEST_CASE("gemm stays within its contract for f32, bf16 and f16 weights at odd sizes") {
  Backends backends;
  for (const Size s : kSizes) {
    std::vector<float> x = random_floats(s.t * s.k, 1);
    const std::vector<float> source = random_floats(s.n * s.k, 2);
    for (const Storage storage : {Storage::f32, Storage::bf16, Storage::f16}) {
      std::vector<float> w = source;
      std::vector<std::uint16_t> half;
      for (float& v : w) {
        if (storage == Storage::bf16) half.push_back(f32_to_bf16(v));
        if (storage == Storage::f16) half.push_back(f32_to_f16(v));
        if (storage == Storage::bf16) v = bf16_to_f32(half.back());
        if (storage == Storage::f16) v = f16_to_f32(half.back());
      }
      const MatrixView view{.storage = storage,
                            .n = s.n,
                            .k = s.k,
                            .data = half.empty() ? bytes_of(w) : bytes_of(half)};
      for (const auto& ops : backends.all) {
        CAPTURE(ops->name());
        CAPTURE(s.k);
        CHECK(worst_error(x, w, multiply(*ops, x, view, s.t), s) <= 1.0);
      }
    }
  }
}

TEST_CASE("gemm: a planted error of one weight is above the tolerance") {
  ThreadPool pool(1);
  auto ops = make_cpu_ops(pool);
  REQUIRE(ops);
  const Size s{3, 31, 40};
  std::vector<float> x = random_floats(s.t * s.k, 1);
  std::vector<float> w = random_floats(s.n * s.k, 2);
  const std::vector<float> good = w;
  w[45] += 0.01F;
  const MatrixView view{.storage = Storage::f32, .n = s.n, .k = s.k, .data = bytes_of(w)};
  CHECK_FALSE(worst_error(x, good, multiply(**ops, x, view, s.t), s) <= 1.0);
}

TEST_CASE("gemm on packed codes equals gemm on their f32 decoding, bit for bit") {
  Backends backends;

  struct Case {
    Size size;
    unsigned bits;
    std::int64_t group;
    bool shuffled;
  };

  const Case cases[] = {{{3, 64, 256}, 4, 128, false}, {{20, 96, 512}, 4, 32, false},
                        {{2, 40, 128}, 4, 32, false},  {{5, 64, 264}, 4, 12, false},
                        {{4, 64, 128}, 4, 32, true},   {{3, 32, 96}, 8, 32, false},
                        {{3, 33, 96}, 2, 96, false},   {{3, 64, 96}, 3, 32, false}};
  for (const Case& p : cases) {
    const PackedCase c = gptq_case(p.size, p.bits, p.group, p.shuffled);
    std::vector<float> x = random_floats(p.size.t * p.size.k, 3);
    const MatrixView plain{
        .storage = Storage::f32, .n = p.size.n, .k = p.size.k, .data = bytes_of(c.decoded)};
    for (const auto& ops : backends.all) {
      CAPTURE(ops->name());
      CAPTURE(p.bits);
      CAPTURE(p.size.k);
      CHECK(same_bits(multiply(*ops, x, c.view, p.size.t), multiply(*ops, x, plain, p.size.t)));
    }
  }
}

TEST_CASE("gemm: a row's bits depend neither on the other rows nor on the threads") {
  Backends backends;
  const Size s{401, 70, 300};
  std::vector<float> x = random_floats(s.t * s.k, 4);
  const std::vector<float> w = random_floats(s.n * s.k, 5);
  const MatrixView view{.storage = Storage::f32, .n = s.n, .k = s.k, .data = bytes_of(w)};
  for (std::size_t i = 0; i < backends.all.size(); i += 2) {
    const std::vector<float> whole = multiply(*backends.all[i], x, view, s.t);
    CHECK(same_bits(whole, multiply(*backends.all[i + 1], x, view, s.t)));
    for (const std::int64_t row : {0, 13, 400}) {
      std::vector<float> one(x.begin() + row * s.k, x.begin() + (row + 1) * s.k);
      const std::vector<float> alone = multiply(*backends.all[i], one, view, 1);
      const std::vector<float> there(whole.begin() + row * s.n, whole.begin() + (row + 1) * s.n);
      CHECK(same_bits(alone, there));
    }
  }
}

TEST_CASE("a grouped gemm has the bits of one gemm per group") {
  // Weights of one, two and three terms, of two widths; groups that overlap, hold one row, none,
  // more than a tile, and rows and weights that are not finite.
  constexpr std::int64_t kTokens = 170;
  constexpr std::int64_t kDepth = 96;
  Backends backends;
  std::vector<float> x = random_floats(kTokens * kDepth, 21);
  x[static_cast<std::size_t>(3 * kDepth + 1)] = kInf;
  const PackedCase packed = gptq_case({kTokens, 64, kDepth}, 4, 32, false);
  std::vector<float> wide = random_floats(130 * kDepth, 22);
  const std::vector<float> exact = random_floats(64 * kDepth, 23);
  std::vector<std::uint16_t> rounded;
  for (const float v : random_floats(64 * kDepth, 24)) rounded.push_back(f32_to_bf16(v));
  wide[7] = -kInf;
  const MatrixView views[] = {
      packed.view,
      {.storage = Storage::f32, .n = 130, .k = kDepth, .data = bytes_of(wide)},
      {.storage = Storage::f32, .n = 64, .k = kDepth, .data = bytes_of(exact)},
      {.storage = Storage::bf16, .n = 64, .k = kDepth, .data = bytes_of(rounded)}};

  struct Range {
    std::size_t view;
    std::int64_t first, rows;
  };

  const std::vector<Range> cuts[] = {
      {{0, 0, 5}, {1, 0, 5}, {2, 5, 1}, {3, 6, 0}, {0, 2, 30}, {3, 140, 30}},
      {{3, 0, 150}, {0, 150, 20}, {2, 20, 33}, {1, 169, 1}, {0, 1, 160}},
      {{2, 170, 0}},
      {}};
  for (const auto& ops : backends.all) {
    CAPTURE(ops->name());
    for (const Rounding rounding : {Rounding::none, Rounding::bf16}) {
      for (const std::vector<Range>& cut : cuts) {
        std::vector<std::unique_ptr<Matrix>> weights;
        std::vector<std::vector<float>> y;
        std::vector<GemmGroup> groups;
        for (const Range& r : cut) {
          auto w = ops->matrix(views[r.view]);
          REQUIRE(w);
          weights.push_back(*std::move(w));
          y.emplace_back(static_cast<std::size_t>(r.rows * views[r.view].n), kNan);
        }
        for (std::size_t i = 0; i < cut.size(); ++i) {
          groups.push_back(
              {weights[i].get(), cut[i].first, rows_of(y[i], cut[i].rows, views[cut[i].view].n)});
        }
        REQUIRE(ops->grouped_gemm({rows_of(x, kTokens, kDepth), groups, rounding}));
        for (std::size_t i = 0; i < cut.size(); ++i) {
          CAPTURE(i);
          std::vector<float> mine(x.begin() + cut[i].first * kDepth,
                                  x.begin() + (cut[i].first + cut[i].rows) * kDepth);
          CHECK(same_bits(y[i], multiply(*ops, mine, views[cut[i].view], cut[i].rows, rounding)));
        }
      }
    }
    auto w = ops->matrix(views[2]);
    REQUIRE(w);
    std::vector<float> y(static_cast<std::size_t>(64 * 2));
    const GemmGroup beyond{w->get(), kTokens - 1, rows_of(y, 2, 64)};
    CHECK_FALSE(ops->grouped_gemm({rows_of(x, kTokens, kDepth), {&beyond, 1}}));
  }
}

TEST_CASE("gemm passes NaN and Inf to their rows only, and rounds to 16 bits once") {
  Backends backends;
  const Size s{14, 40, 64};
  std::vector<float> x = random_floats(s.t * s.k, 6);
  x[static_cast<std::size_t>(2 * s.k + 5)] = kNan;
  x[static_cast<std::size_t>(13 * s.k)] = kInf;
  const std::vector<float> w = random_floats(s.n * s.k, 7);
  const MatrixView view{.storage = Storage::f32, .n = s.n, .k = s.k, .data = bytes_of(w)};
  for (const auto& ops : backends.all) {
    const std::vector<float> y = multiply(*ops, x, view, s.t);
    const std::vector<float> half = multiply(*ops, x, view, s.t, Rounding::bf16);
    const std::vector<float> small = multiply(*ops, x, view, s.t, Rounding::f16);
    for (std::size_t i = 0; i < y.size(); ++i) {
      const std::size_t row = i / static_cast<std::size_t>(s.n);
      CHECK(std::isfinite(y[i]) == (row != 2 && row != 13));
      if (!std::isnan(y[i])) CHECK(same_bits(half[i], bf16_to_f32(f32_to_bf16(y[i]))));
      if (!std::isnan(y[i])) CHECK(same_bits(small[i], f16_to_f32(f32_to_f16(y[i]))));
    }
  }
}

TEST_CASE("gemm of BF16 by BF16 stays within its contract, whatever instructions it uses") {
  Backends backends;
  for (const Size s : kSizes) {
    std::vector<float> x = random_floats(s.t * s.k, 8);
    std::vector<float> w = random_floats(s.n * s.k, 9);
    std::vector<std::uint16_t> half;
    for (float& v : x) v = bf16_to_f32(f32_to_bf16(v));
    for (float& v : w) {
      half.push_back(f32_to_bf16(v));
      v = bf16_to_f32(half.back());
    }
    const MatrixView view{.storage = Storage::bf16, .n = s.n, .k = s.k, .data = bytes_of(half)};
    for (const auto& ops : backends.all) {
      CAPTURE(ops->name());
      CAPTURE(s.k);
      CHECK(worst_error(x, w, multiply(*ops, x, view, s.t, Rounding::none, true), s) <= 1.0);
    }
  }
}

TEST_CASE("gemm of BF16 by packed codes rounded to BF16 stays within its contract") {
  Backends backends;
  for (const auto& [size, group] : {std::pair{Size{3, 64, 256}, 128}, {Size{14, 40, 264}, 12}}) {
    PackedCase c = gptq_case(size, 4, group, false);
    c.view.packed.rounding = Rounding::bf16;
    for (float& v : c.decoded) v = bf16_to_f32(f32_to_bf16(v));
    std::vector<float> x = random_floats(size.t * size.k, 3);
    for (float& v : x) v = bf16_to_f32(f32_to_bf16(v));
    for (const auto& ops : backends.all) {
      CAPTURE(ops->name());
      CHECK(worst_error(x, c.decoded, multiply(*ops, x, c.view, size.t, Rounding::none, true),
                        size) <= 1.0);
      const auto plain = multiply(*ops, x, c.view, size.t);
      CHECK(worst_error(x, c.decoded, plain, size) <= 1.0);
    }
  }
}

TEST_CASE("gemm takes no tokens, and refuses extents that do not fit") {
  ThreadPool pool(1);
  auto ops = make_cpu_ops(pool);
  REQUIRE(ops);
  std::vector<float> x(64);
  const std::vector<float> w(64);
  const MatrixView view{.storage = Storage::f32, .n = 8, .k = 8, .data = bytes_of(w)};
  CHECK(multiply(**ops, x, view, 0).empty());
  MatrixView big = view;
  big.n = 9;
  CHECK_FALSE((*ops)->matrix(big));
  auto matrix = (*ops)->matrix(view);
  REQUIRE(matrix);
  const GemmPart part{matrix->get(), rows_of(x, 2, 8)};
  CHECK_FALSE((*ops)->gemm({rows_of(x, 3, 8), {&part, 1}, Rounding::none}));
}

}  // namespace ckpt::kernels::test
