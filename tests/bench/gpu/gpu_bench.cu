// Each kernel against its bound on one device, in the same run: copies for memory, cuBLAS for the
// matrix units. Prints one JSON line per figure.

#include <cublas_v2.h>
#include <cuda_runtime.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <string>
#include <vector>

#include "kernels/cuda/kernels.h"
#include "kernels/cuda/runtime.h"

namespace ckpt::kernels::cuda {

namespace {

constexpr double kGiga = 1e9;
constexpr double kTera = 1e12;

void must(cudaError_t error, const char* what) {
  if (error == cudaSuccess) return;
  std::fprintf(stderr, "%s: %s\n", what, cudaGetErrorString(error));
  std::exit(1);
}

template <class T>
T* device_memory(std::size_t count) {
  void* memory = nullptr;
  must(cudaMalloc(&memory, std::max<std::size_t>(count, 1) * sizeof(T)), "allocate");
  must(cudaMemset(memory, 0, std::max<std::size_t>(count, 1) * sizeof(T)), "clear");
  return static_cast<T*>(memory);
}

/// Median seconds of `work` on the stream, after a warm-up.
double seconds_of(cudaStream_t stream, const std::function<void()>& work) {
  constexpr int kRuns = 15;
  cudaEvent_t begin = nullptr;
  cudaEvent_t end = nullptr;
  must(cudaEventCreate(&begin), "event");
  must(cudaEventCreate(&end), "event");
  std::vector<float> ms;
  for (int i = 0; i < kRuns + 3; ++i) {
    must(cudaEventRecord(begin, stream), "event");
    work();
    must(cudaEventRecord(end, stream), "event");
    must(cudaEventSynchronize(end), "kernel");
    float one = 0;
    must(cudaEventElapsedTime(&one, begin, end), "time");
    if (i >= 3) ms.push_back(one);
  }
  std::nth_element(ms.begin(), ms.begin() + kRuns / 2, ms.end());
  return static_cast<double>(ms[kRuns / 2]) / 1e3;
}

void report(const std::string& name, double rate, const char* unit, double bound,
            const char* bound_name, double target) {
  std::printf(
      "{\"name\": \"%s\", \"rate\": %.4g, \"unit\": \"%s\", \"bound\": %.4g, \"bound_is\": \"%s\", "
      "\"share\": %.4f, \"target\": %.2f}\n",
      name.c_str(), rate, unit, bound, bound_name, rate / bound, target);
  std::fflush(stdout);
}

Terms terms(std::int64_t rows, std::int64_t depth, int count) {
  return {device_memory<std::uint16_t>(static_cast<std::size_t>(rows * depth * count)), rows, depth,
          count};
}

Rows rows(std::int64_t count, std::int64_t cols) {
  return {device_memory<float>(static_cast<std::size_t>(count * cols)), count, cols, cols};
}

Heads heads(std::int64_t tokens, std::int64_t count, std::int64_t dim) {
  return {device_memory<float>(static_cast<std::size_t>(tokens * count * dim)),
          tokens,
          count,
          dim,
          count * dim,
          dim};
}

struct Bench {
  cudaStream_t stream = nullptr;
  cublasHandle_t cublas = nullptr;
  double hbm = 0;     // bytes a second
  double pinned = 0;  // bytes a second
  double dense = 0;   // FLOP a second

  void bounds();
  double cublas_seconds(std::int64_t t, std::int64_t n, std::int64_t k) const;
  void decoding() const;
  void copies() const;
  void products() const;
  void experts() const;
  void mixers() const;
  void head() const;
  void rows_of_numbers() const;
};

void Bench::bounds() {
  must(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking), "stream");
  if (cublasCreate(&cublas) != CUBLAS_STATUS_SUCCESS) std::exit(1);
  cublasSetStream(cublas, stream);
  constexpr std::size_t kBytes = std::size_t{1} << 30;
  auto* a = device_memory<char>(kBytes);
  auto* b = device_memory<char>(kBytes);
  hbm = 2.0 * kBytes / seconds_of(stream, [&] {
          must(cudaMemcpyAsync(b, a, kBytes, cudaMemcpyDeviceToDevice, stream), "copy");
        });
  void* host = nullptr;
  must(cudaMallocHost(&host, kBytes), "pinned memory");
  pinned = kBytes / seconds_of(stream, [&] {
             must(cudaMemcpyAsync(a, host, kBytes, cudaMemcpyHostToDevice, stream), "copy");
           });
  cudaFreeHost(host);
  cudaFree(a);
  cudaFree(b);
  constexpr std::int64_t kSide = 8192;
  dense = 2.0 * kSide * kSide * kSide / cublas_seconds(kSide, kSide, kSide);
  std::printf(
      "{\"name\": \"bounds\", \"copy_on_device_gb_s\": %.1f, \"pinned_to_device_gb_s\": "
      "%.2f, \"cublas_bf16_tflop_s\": %.1f}\n",
      hbm / kGiga, pinned / kGiga, dense / kTera);
}

double Bench::cublas_seconds(std::int64_t t, std::int64_t n, std::int64_t k) const {
  const auto count = [](std::int64_t x, std::int64_t y) { return static_cast<std::size_t>(x * y); };
  auto* x = device_memory<std::uint16_t>(count(t, k));
  auto* w = device_memory<std::uint16_t>(count(n, k));
  auto* y = device_memory<float>(count(t, n));
  const float one = 1;
  const float zero = 0;
  const auto i = [](std::int64_t v) { return static_cast<int>(v); };
  const double s = seconds_of(stream, [&] {
    cublasGemmEx(cublas, CUBLAS_OP_T, CUBLAS_OP_N, i(n), i(t), i(k), &one, w, CUDA_R_16BF, i(k), x,
                 CUDA_R_16BF, i(k), &zero, y, CUDA_R_32F, i(n), CUBLAS_COMPUTE_32F,
                 CUBLAS_GEMM_DEFAULT);
  });
  cudaFree(x);
  cudaFree(w);
  cudaFree(y);
  return s;
}

void Bench::decoding() const {
  constexpr std::int64_t kN = 8192;
  constexpr std::int64_t kK = 8192;
  constexpr std::int64_t kGroup = 128;
  const auto span = [](const auto* data, std::int64_t bytes) {
    return std::span<const std::byte>(reinterpret_cast<const std::byte*>(data),
                                      static_cast<std::size_t>(bytes));
  };
  int* flag = device_memory<int>(1);
  const std::int64_t words = kN * kK / 8;
  const std::int64_t groups = kK / kGroup;
  MatrixView gptq{.storage = Storage::packed, .n = kN, .k = kK};
  gptq.data = span(device_memory<std::uint32_t>(static_cast<std::size_t>(words)), words * 4);
  gptq.zeros = span(device_memory<std::uint32_t>(static_cast<std::size_t>(groups * kN / 8)),
                    groups * kN / 2);
  gptq.scales =
      span(device_memory<std::uint16_t>(static_cast<std::size_t>(groups * kN)), groups * kN * 2);
  gptq.packed.zero_offset = 1;
  gptq.packed.groups = groups;
  gptq.packed.group_size = kGroup;
  MatrixView rows_packed = gptq;  // compressed-tensors: codes along a row
  rows_packed.packed.words_row_is_out = true;
  rows_packed.packed.has_zeros = false;
  rows_packed.packed.code_offset = 8;
  rows_packed.packed.scales_row_is_out = true;
  for (const auto& [name, given] : {std::pair{"decode int4 (GPTQ words)", gptq},
                                    {"decode int4 (words along a row)", rows_packed}}) {
    for (const Rounding rounding : {Rounding::bf16, Rounding::none}) {
      MatrixView view = given;
      view.packed.rounding = rounding;
      const Terms out = terms(kN, kK, terms_of(view));
      const double s = seconds_of(stream, [&] { must(decode(stream, view, out, flag), "decode"); });
      const double bytes =
          static_cast<double>(view.data.size() + view.scales.size()) + 2.0 * kN * kK * out.count;
      report(std::string(name) + (out.count == 1 ? ", one term" : ", two terms"), bytes / s / kGiga,
             "GB/s", hbm / kGiga, "copy on device", 0.75);
      cudaFree(out.data);
    }
  }
}

void Bench::copies() const {
  auto device = Device::open(0, 0);
  if (!device) return;
  std::vector<std::byte> host(std::size_t{256} << 20);
  std::vector<double> s;
  for (int i = 0; i < 8; ++i) {
    Event ready;
    const auto begin = std::chrono::steady_clock::now();
    auto block = (*device)->upload(host, ready);
    if (!block || !ready.wait()) return;
    s.push_back(std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count());
  }
  std::sort(s.begin(), s.end());
  report("weights to the device", static_cast<double>(host.size()) / s[4] / kGiga, "GB/s",
         pinned / kGiga, "pinned memcpy", 0.9);
}

void Bench::products() const {
  struct Case {
    const char* name;
    std::int64_t t, n, k;
    int x_terms, w_terms;
    double target;
  };

  const Case cases[] = {{"gemm bf16, 8192 cubed", 8192, 8192, 8192, 1, 1, 0.6},
                        {"gemm fp32 over BF16 weights, 8192 cubed", 8192, 8192, 8192, 3, 1, 0.2},
                        {"one expert bf16, 2048 tokens", 2048, 1024, 2048, 1, 1, 0.3}};
  for (const Case& c : cases) {
    const Terms x = terms(c.t, c.k, c.x_terms);
    const Terms w = terms(c.n, c.k, c.w_terms);
    const Rows y = rows(c.t, c.n);
    int* flags = device_memory<int>(static_cast<std::size_t>(c.t));
    int* flag = device_memory<int>(1);
    const double s = seconds_of(stream, [&] {
      must(multiply(stream, x, flags, {w, flag, 0, y}, Rounding::none), "multiply");
    });
    const double flop = 2.0 * static_cast<double>(c.t * c.n * c.k);
    report(c.name, flop / s / kTera, "TFLOP/s", dense / kTera, "cuBLAS dense BF16", c.target);
    for (void* p :
         {static_cast<void*>(x.data), static_cast<void*>(w.data), static_cast<void*>(y.data),
          static_cast<void*>(flags), static_cast<void*>(flag)}) {
      cudaFree(p);
    }
  }
}

// Gate and up of many experts in one launch, as a layer's second half asks for them.
void Bench::experts() const {
  struct Case {
    const char* name;
    std::int64_t tokens;
    int x_terms, w_terms;
    double target;
  };

  constexpr std::int64_t kExperts = 32;
  constexpr std::int64_t kInner = 1024;
  constexpr std::int64_t kHidden = 2048;
  const Case cases[] = {{"32 experts bf16, 16 tokens each", 16, 1, 1, 0.05},
                        {"32 experts bf16, 128 tokens each", 128, 1, 1, 0.5},
                        {"32 experts bf16, 1024 tokens each", 1024, 1, 1, 0.5},
                        {"32 experts fp32 over int4, 128 tokens each", 128, 3, 2, 0.1}};
  for (const Case& c : cases) {
    const Terms x = terms(kExperts * c.tokens, kHidden, c.x_terms);
    const Terms w = terms(2 * kExperts * kInner, kHidden, 1);
    const Rows y = rows(2 * kExperts * c.tokens, kInner);
    int* flags = device_memory<int>(static_cast<std::size_t>(x.rows));
    int* flag = device_memory<int>(1);
    std::vector<Product> products;
    std::vector<RowTile> tiles;
    for (std::int64_t i = 0; i < 2 * kExperts; ++i) {
      // More terms of one weight lie over the next one's: their values do not matter here.
      const Terms one{w.data + (c.w_terms == 1 ? i * kInner * kHidden : 0), kInner, kHidden,
                      c.w_terms};
      products.push_back({one, flag, i / 2 * c.tokens, y.slice(i * c.tokens, c.tokens)});
      for (std::int64_t row = 0; row < c.tokens; row += tile_rows(c.tokens)) {
        tiles.push_back({i, row});
      }
    }
    auto* all = device_memory<Product>(products.size());
    auto* cut = device_memory<RowTile>(tiles.size());
    must(
        cudaMemcpy(all, products.data(), products.size() * sizeof(Product), cudaMemcpyHostToDevice),
        "copy");
    must(cudaMemcpy(cut, tiles.data(), tiles.size() * sizeof(RowTile), cudaMemcpyHostToDevice),
         "copy");
    const Products group{all,      cut,    static_cast<std::int64_t>(tiles.size()),
                         c.tokens, kInner, c.w_terms};
    const double s = seconds_of(stream, [&] {
      must(multiply_grouped(stream, x, flags, group, Rounding::none), "multiply");
    });
    const double flop = 2.0 * static_cast<double>(2 * kExperts * c.tokens * kInner * kHidden);
    report(c.name, flop / s / kTera, "TFLOP/s", dense / kTera, "cuBLAS dense BF16", c.target);
    for (void* p : {static_cast<void*>(x.data), static_cast<void*>(w.data),
                    static_cast<void*>(y.data), static_cast<void*>(flags), static_cast<void*>(flag),
                    static_cast<void*>(all), static_cast<void*>(cut)}) {
      cudaFree(p);
    }
  }
}

void Bench::mixers() const {
  constexpr std::int64_t kTokens = 16384;
  constexpr std::int64_t kLength = 2048;
  std::vector<QueryTile> tiles;
  std::vector<std::int64_t> starts;
  for (std::int64_t s = 0; s < kTokens; s += kLength) {
    starts.push_back(s);
    for (std::int64_t t = 0; t < kLength; t += kQueries) tiles.push_back({s, s + kLength, t});
  }
  starts.push_back(kTokens);
  auto* tiles_there = device_memory<QueryTile>(tiles.size());
  auto* starts_there = device_memory<std::int64_t>(starts.size());
  must(cudaMemcpy(tiles_there, tiles.data(), tiles.size() * sizeof(QueryTile),
                  cudaMemcpyHostToDevice),
       "copy");
  must(cudaMemcpy(starts_there, starts.data(), starts.size() * 8, cudaMemcpyHostToDevice), "copy");
  const Heads q = heads(kTokens, 16, 256);
  const Heads k = heads(kTokens, 2, 256);
  const Heads v = heads(kTokens, 2, 256);
  const Heads o = heads(kTokens, 16, 256);
  double s = seconds_of(stream, [&] {
    must(attention(stream, q, k, v, o, 1, tiles_there, static_cast<std::int64_t>(tiles.size()),
                   true, Rounding::none),
         "attention");
  });
  const double flop = 2.0 * 2 * kTokens * (kLength / 2.0) * 16 * 256;
  report("attention f32 by three TF32, 16 heads of 256, 2048 tokens", flop / s / kTera, "TFLOP/s",
         dense / kTera, "cuBLAS dense BF16", 0.02);
  const Heads dq = heads(kTokens, 16, 128);
  const Heads dk = heads(kTokens, 16, 128);
  const Heads dv = heads(kTokens, 32, 128);
  const Heads out = heads(kTokens, 32, 128);
  const DeltaRule rule{dq,
                       dk,
                       dv,
                       rows(kTokens, 32),
                       rows(kTokens, 32),
                       device_memory<float>(32),
                       device_memory<float>(32),
                       out,
                       starts_there,
                       static_cast<std::int64_t>(starts.size()) - 1,
                       Rounding::none};
  int limit = 0;
  must(cudaDeviceGetAttribute(&limit, cudaDevAttrMaxSharedMemoryPerBlockOptin, 0), "attribute");
  s = seconds_of(stream, [&] { must(delta_rule(stream, rule, limit), "delta_rule"); });
  const double chunk_flop = 2.0 * kTokens * 32 * (2.0 * 32 * 128 + 3.0 * 128 * 128 + 32 * 128);
  report("delta rule f32 by three TF32, 32 heads of 128", chunk_flop / s / kTera, "TFLOP/s",
         dense / kTera, "cuBLAS dense BF16", 0.01);
}

void Bench::head() const {
  constexpr std::int64_t kWords = 248320;
  constexpr std::int64_t kPositions = 256;
  constexpr std::int64_t kHidden = 2048;
  const Terms x = terms(kPositions, kHidden, 1);
  const Terms w = terms(kWords, kHidden, 1);
  const Rows z = rows(kPositions, kWords);
  const Rows c = rows(kPositions, kWords);
  int* flags = device_memory<int>(kPositions);
  int* flag = device_memory<int>(1);
  auto* labels = device_memory<std::int64_t>(kPositions);
  auto* out = device_memory<Divergence>(kPositions);
  const double s = seconds_of(stream, [&] {
    must(multiply(stream, x, flags, {w, flag, 0, z}, Rounding::none), "head");
    must(multiply(stream, x, flags, {w, flag, 0, c}, Rounding::none), "head");
    must(divergence(stream, z, c, labels, out), "divergence");
  });
  const double flop = 2 * 2.0 * kPositions * kWords * kHidden;
  report("two heads and their divergence, 248,320 words", flop / s / kTera, "TFLOP/s",
         flop / (2 * cublas_seconds(kPositions, kWords, kHidden)) / kTera,
         "cuBLAS, the heads alone", 0.6);
}

void Bench::rows_of_numbers() const {
  constexpr std::int64_t kTokens = 65536;
  constexpr std::int64_t kHidden = 2048;
  const Rows x = rows(kTokens, kHidden);
  const Rows y = rows(kTokens, kHidden);
  auto* weight = device_memory<float>(kHidden);
  auto* sums = device_memory<double>(kTokens);
  auto* range = device_memory<Range>(1);
  const double bytes = 4.0 * kTokens * kHidden;
  const auto one = [&](const char* name, double passes, const std::function<void()>& work) {
    report(name, passes * bytes / seconds_of(stream, work) / kGiga, "GB/s", hbm / kGiga,
           "copy on device", 0.75);
  };
  one("add", 3, [&] { must(add(stream, x, y, Rounding::bf16), "add"); });
  one("silu_mul", 3, [&] { must(silu_mul(stream, x, y, Rounding::bf16), "silu_mul"); });
  one("rms_norm", 2, [&] {
    must(rms_norm(stream, as_heads(x), as_heads(y), weight, 1e-6F, 1, Rounding::none), "norm");
  });
  one("row_squares", 2, [&] { must(row_squares(stream, x, y, sums), "squares"); });
  one("probe", 1, [&] { must(probe(stream, x, range), "probe"); });
}

}  // namespace

}  // namespace ckpt::kernels::cuda

int main() {
  using namespace ckpt::kernels::cuda;
  int count = 0;
  if (cudaGetDeviceCount(&count) != cudaSuccess || count == 0) {
    std::puts("{\"name\": \"skipped\", \"why\": \"no CUDA device\"}");
    return 77;
  }
  Bench bench;
  bench.bounds();
  bench.copies();
  bench.decoding();
  bench.products();
  bench.experts();
  bench.mixers();
  bench.head();
  bench.rows_of_numbers();
  return 0;
}
