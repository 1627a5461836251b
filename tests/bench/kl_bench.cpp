// Time and peak memory of run_kl on a pair of checkpoints, with random tokens:
// bench_kl REFERENCE CANDIDATE SEQUENCES LENGTH THREADS MEMORY_MB MODE [no-local]

#include <fmt/format.h>
#include <sys/resource.h>

#include <chrono>
#include <cstdlib>

#include "validator/pipeline/kl.h"

namespace {

class Stages final : public ckpt::Progress {
 public:
  void update(std::string_view stage, std::uint64_t done, std::uint64_t total,
              std::uint64_t bytes) override {
    const double seconds =
        std::chrono::duration<double>(std::chrono::steady_clock::now() - begin_).count();
    fmt::print("{:8.2f} s  {} {}/{}  {} MB\n", seconds, stage, done, total, bytes / 1'000'000);
    std::fflush(stdout);
  }

 private:
  std::chrono::steady_clock::time_point begin_ = std::chrono::steady_clock::now();
};

std::int64_t argument(int argc, char** argv, int i, std::int64_t fallback) {
  return argc > i ? std::strtoll(argv[i], nullptr, 10) : fallback;
}

}  // namespace

int main(int argc, char** argv) {
  using namespace ckpt;
  if (argc < 3) return 2;
  auto reference = pipeline::open_target(argv[1]);
  auto candidate = pipeline::open_target(argv[2]);
  if (!reference || !candidate) return 1;
  const std::int64_t count = argument(argc, argv, 3, 8);
  const std::int64_t length = argument(argc, argv, 4, 512);
  const std::int64_t vocab = (*reference)->config.text.vocab_size;
  std::vector<std::vector<std::int32_t>> tokens(static_cast<std::size_t>(count));
  std::uint64_t state = 1;
  for (auto& sequence : tokens) {
    for (std::int64_t t = 0; t < length; ++t) {
      state = state * 6364136223846793005ULL + 1442695040888963407ULL;
      sequence.push_back(
          static_cast<std::int32_t>((state >> 33) % static_cast<std::uint64_t>(vocab)));
    }
  }
  ThreadPool pool(static_cast<unsigned>(argument(argc, argv, 5, 0)));
  Stages progress;
  const auto begin = std::chrono::steady_clock::now();
  const auto memory = static_cast<std::uint64_t>(argument(argc, argv, 6, 4096)) << 20;
  const bool bf16 = argc > 7 && std::string_view(argv[7]) == "bf16";
  auto metrics = pipeline::run_kl({.reference = **reference,
                                   .candidate = **candidate,
                                   .sequences = tokens,
                                   .pool = pool,
                                   .progress = progress,
                                   .mode = bf16 ? forward::Mode::bf16 : forward::Mode::fp32,
                                   .local = argc <= 8,
                                   .memory_bytes = memory,
                                   .stop = {},
                                   .note = [](std::string_view s) { fmt::print("{}\n", s); }});
  if (!metrics) {
    fmt::print("{}\n", metrics.error().message);
    return 1;
  }
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  fmt::print("mean KL {:.6f}; {:.2f} s wall, {:.2f} s user, {:.2f} s system, {:.0f} MB peak\n",
             metrics->metrics.kl.mean,
             std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count(),
             static_cast<double>(usage.ru_utime.tv_sec) +
                 1e-6 * static_cast<double>(usage.ru_utime.tv_usec),
             static_cast<double>(usage.ru_stime.tv_sec) +
                 1e-6 * static_cast<double>(usage.ru_stime.tv_usec),
             static_cast<double>(usage.ru_maxrss) / 1000);
  return 0;
}
