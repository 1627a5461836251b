#pragma once
// What the op tests share: the backends of this machine, random rows, views.

#include <cmath>
#include <cstdint>
#include <limits>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "kernels/ops.h"
#include "tests/kernels/device.h"
#include "tests/kernels/hosted_ops.h"

namespace ckpt::kernels::test {

inline constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
inline constexpr float kInf = std::numeric_limits<float>::infinity();

/// Small counter-based generator: the same numbers everywhere.
class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(seed * 0x9E3779B97F4A7C15ULL + 1) {}

  std::uint64_t bits() {
    state_ += 0x9E3779B97F4A7C15ULL;
    std::uint64_t z = state_;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ULL;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBULL;
    return z ^ (z >> 31);
  }

  /// About normal, in (-6, 6).
  float normal() {
    double sum = -6;
    for (int i = 0; i < 12; ++i) sum += static_cast<double>(bits() >> 11) * 0x1p-53;
    return static_cast<float>(sum);
  }

 private:
  std::uint64_t state_;
};

inline std::vector<float> random_floats(std::int64_t count, std::uint64_t seed, float scale = 1) {
  Random random(seed);
  std::vector<float> out(static_cast<std::size_t>(count));
  for (float& x : out) x = random.normal() * scale;
  return out;
}

inline Rows rows_of(std::vector<float>& x, std::int64_t rows, std::int64_t cols) {
  return {x.data(), rows, cols, cols};
}

inline Heads heads_of(std::vector<float>& x, std::int64_t tokens, std::int64_t heads,
                      std::int64_t dim) {
  return {x.data(), tokens, heads, dim, heads * dim, dim};
}

inline std::span<const std::byte> bytes_of(const std::vector<float>& x) {
  return std::as_bytes(std::span(x));
}

template <class T>
std::span<const std::byte> bytes_of(const std::vector<T>& x) {
  return std::as_bytes(std::span(x));
}

/// Every level this machine has, each with one and with three threads, and the CUDA backend, on the
/// emulated device with two orders of what runs at the same time.
struct Backends {
  ThreadPool one{1};
  ThreadPool three{3};
  std::vector<std::unique_ptr<Ops>> all;

  /// `device`: the CUDA backend too.
  explicit Backends(bool device = true) {
    for (const CpuLevel level : {CpuLevel::portable, CpuLevel::avx2, CpuLevel::avx512}) {
      for (ThreadPool* pool : {&one, &three}) {
        if (auto ops = make_cpu_ops(*pool, level)) all.push_back(std::move(*ops));
      }
    }
    if (!device) return;
    for (const std::uint64_t order : {1U, 2U}) {
      auto ops = open_device(order);
      if (ops) all.push_back(std::make_unique<HostedOps>(std::move(*ops)));
    }
  }
};

/// Backends that make the same bits: the levels with vectors among themselves, and each other one
/// with itself.
inline std::string family(const Ops& ops) {
  const std::string name(ops.name());
  return name.starts_with("cpu") && name != "cpu portable" ? "cpu" : name;
}

inline bool same_bits(float a, float b) {
  return std::bit_cast<std::uint32_t>(a) == std::bit_cast<std::uint32_t>(b);
}

inline bool same_bits(const std::vector<float>& a, const std::vector<float>& b) {
  if (a.size() != b.size()) return false;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (!same_bits(a[i], b[i])) return false;
  }
  return true;
}

}  // namespace ckpt::kernels::test
