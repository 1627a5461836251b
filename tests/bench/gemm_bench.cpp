// Ratio of our gemm to OpenBLAS sgemm on f32 weights, in the same run on one thread each. Prints
// the median of several runs; ratios travel between machines, absolute rates do not.

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <functional>

#include "tests/kernels/backends.h"
#include "validator/base/bits.h"

#ifdef CKPT_HAVE_CBLAS
extern "C" {
void cblas_sgemm(int order, int trans_a, int trans_b, int m, int n, int k, float alpha,
                 const float* a, int lda, const float* b, int ldb, float beta, float* c, int ldc);
void openblas_set_num_threads(int threads);
}
#endif

namespace ckpt::kernels::test {

namespace {

struct Size {
  std::int64_t t, n, k;
};

double median_seconds(const std::function<void()>& body) {
  std::vector<double> runs;
  for (int i = 0; i < 7; ++i) {
    const auto begin = std::chrono::steady_clock::now();
    body();
    runs.push_back(std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count());
  }
  std::sort(runs.begin(), runs.end());
  return runs[runs.size() / 2];
}

double gflops(const Size& s, double seconds) {
  return 2e-9 * static_cast<double>(s.t * s.n * s.k) / seconds;
}

double blas(const Size& s, const std::vector<float>& x, const std::vector<float>& w,
            std::vector<float>& y) {
#ifdef CKPT_HAVE_CBLAS
  openblas_set_num_threads(1);
  const auto t = static_cast<int>(s.t);
  const auto n = static_cast<int>(s.n);
  const auto k = static_cast<int>(s.k);
  return median_seconds(
      [&] { cblas_sgemm(101, 111, 112, t, n, k, 1, x.data(), k, w.data(), k, 0, y.data(), n); });
#else
  static_cast<void>(s), static_cast<void>(x), static_cast<void>(w), static_cast<void>(y);
  return std::numeric_limits<double>::quiet_NaN();
#endif
}

double ours(Ops& ops, std::vector<float>& x, const MatrixView& view, std::vector<float>& y,
            std::int64_t t) {
  const auto matrix = ops.matrix(view);
  if (!matrix) return std::numeric_limits<double>::quiet_NaN();
  const GemmPart part{matrix->get(), rows_of(y, t, view.n)};
  return median_seconds([&] {
    static_cast<void>(ops.gemm({rows_of(x, t, view.k), {&part, 1}, Rounding::none}));
  });
}

void bench(Ops& ops, const Size& s, bool json) {
  std::vector<float> x = random_floats(s.t * s.k, 1);
  const std::vector<float> w = random_floats(s.n * s.k, 2);
  std::vector<float> y(static_cast<std::size_t>(s.t * s.n));
  std::vector<std::uint16_t> half;
  for (const float v : w) half.push_back(f32_to_bf16(v));
  std::vector<std::uint32_t> words(static_cast<std::size_t>(s.n * s.k / 8), 0x12345678U);
  std::vector<std::uint32_t> zeros(static_cast<std::size_t>(s.k / 128 * s.n / 8), 0x77777777U);
  std::vector<std::uint16_t> scales(static_cast<std::size_t>(s.k / 128 * s.n), 0x2000U);
  MatrixView packed{.storage = Storage::packed,
                    .n = s.n,
                    .k = s.k,
                    .data = bytes_of(words),
                    .zeros = bytes_of(zeros),
                    .scales = bytes_of(scales)};
  packed.packed.zero_offset = 1;
  packed.packed.groups = s.k / 128;
  packed.packed.group_size = 128;
  const MatrixView f32{.storage = Storage::f32, .n = s.n, .k = s.k, .data = bytes_of(w)};
  const MatrixView bf16{.storage = Storage::bf16, .n = s.n, .k = s.k, .data = bytes_of(half)};
  const double theirs = gflops(s, blas(s, x, w, y));
  const double a = gflops(s, ours(ops, x, f32, y, s.t));
  const double b = gflops(s, ours(ops, x, bf16, y, s.t));
  const double c = gflops(s, ours(ops, x, packed, y, s.t));
  if (json) {
    fmt::print(
        R"({{"tokens": {}, "k": {}, "n": {}, "openblas_gflops": {:.1f}, "ratio_f32": {:.2f}, )"
        R"("ratio_bf16": {:.2f}, "ratio_int4_g128": {:.2f}}})"
        "\n",
        s.t, s.k, s.n, theirs, a / theirs, b / theirs, c / theirs);
    return;
  }
  fmt::print(
      "{:>5} {:>5} {:>5}  {:8.1f}  {:6.1f} ({:4.2f})  {:6.1f} ({:4.2f})  {:6.1f} ({:4.2f})\n", s.t,
      s.k, s.n, theirs, a, a / theirs, b, b / theirs, c, c / theirs);
}

}  // namespace

}  // namespace ckpt::kernels::test

int main(int count, char** words) {
  using namespace ckpt::kernels;
  const bool json = count > 1 && std::string_view(words[1]) == "--json";
  ckpt::ThreadPool pool(1);
  auto ops = make_cpu_ops(pool);
  if (!ops) return 1;
  if (json) {
    fmt::print("{{\"backend\": \"{}\"}}\n", (*ops)->name());
  } else {
    fmt::print("{}: GFLOP/s and ratio to OpenBLAS f32\n", (*ops)->name());
    fmt::print("{:>5} {:>5} {:>5}  {:>8}  {:>13}  {:>13}  {:>13}\n", "T", "K", "N", "OpenBLAS",
               "f32", "bf16", "int4 g128");
  }
  for (const std::int64_t t : {1, 4, 16, 32, 64, 128, 256, 1024}) {
    test::bench(**ops, {t, 1024, 2048}, json);
    test::bench(**ops, {t, 2048, 512}, json);
  }
  test::bench(**ops, {1024, 4096, 2048}, json);
  return 0;
}
