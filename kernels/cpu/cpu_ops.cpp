#include "kernels/cpu/cpu_ops.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <new>

namespace ckpt::kernels {

namespace cpu {

namespace {

// Enough floats per task that waking a worker costs little.
constexpr std::int64_t kTaskFloats = 32768;

}  // namespace

Scratch make_scratch(std::int64_t floats) {
  const auto bytes = static_cast<std::size_t>(std::max<std::int64_t>(floats, 1)) * sizeof(float);
  return Scratch(static_cast<float*>(::operator new[](bytes, std::align_val_t{64}, std::nothrow)));
}

tl::unexpected<Error> no_memory(std::string_view op, std::int64_t floats) {
  return fail(ErrorKind::memory, fmt::format("{}: no memory for {} MB", op, floats / 250'000));
}

CpuOps::CpuOps(ThreadPool& pool, const Level& level)
    : pool_(pool),
      level_(level),
      bf16_(&level == avx512_level() ? bf16_kernels() : nullptr),
      name_(fmt::format("cpu {}{}", level.name, bf16_ != nullptr ? " bf16" : "")) {}

void CpuOps::over_rows(std::int64_t rows, std::int64_t row_floats,
                       const std::function<void(std::int64_t, std::int64_t)>& body) {
  if (rows <= 0) return;
  const std::int64_t step =
      std::max<std::int64_t>(1, kTaskFloats / std::max<std::int64_t>(1, row_floats));
  const std::int64_t tasks = (rows + step - 1) / step;
  pool_.parallel_for(static_cast<std::size_t>(tasks), [&](std::size_t i) {
    const std::int64_t begin = static_cast<std::int64_t>(i) * step;
    body(begin, std::min(rows, begin + step));
  });
}

Result<Buffer> CpuOps::allocate(std::int64_t floats) {
  if (floats < 0) return bad_extents("allocate");
  Scratch memory = make_scratch(floats);
  if (memory == nullptr) return no_memory("activations", floats);
  return Buffer(memory.release(), floats, [](float* p) { FreeAligned{}(p); });
}

Result<void> CpuOps::write(const Rows& to, std::span<const float> from) {
  if (static_cast<std::int64_t>(from.size()) != to.rows * to.cols) return bad_extents("write");
  for (std::int64_t r = 0; r < to.rows; ++r) {
    std::copy_n(from.data() + r * to.cols, to.cols, to.data + r * to.stride);
  }
  return {};
}

Result<void> CpuOps::read(const Rows& from, std::span<float> to) {
  if (static_cast<std::int64_t>(to.size()) != from.rows * from.cols) return bad_extents("read");
  for (std::int64_t r = 0; r < from.rows; ++r) {
    std::copy_n(from.data + r * from.stride, from.cols, to.data() + r * from.cols);
  }
  return {};
}

Result<void> CpuOps::fill(const Rows& x, float value) {
  for (std::int64_t r = 0; r < x.rows; ++r) std::fill_n(x.data + r * x.stride, x.cols, value);
  return {};
}

Result<void> CpuOps::gather(const Rows& from, std::span<const std::int64_t> index, const Rows& to) {
  const auto count = static_cast<std::int64_t>(index.size());
  if (count != to.rows || from.cols != to.cols) return bad_extents("gather");
  over_rows(count, to.cols, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      const std::int64_t row = index[static_cast<std::size_t>(i)];
      std::copy_n(from.data + row * from.stride, from.cols, to.data + i * to.stride);
    }
  });
  return {};
}

Result<void> CpuOps::scatter_add(const Rows& from, std::span<const float> weight,
                                 std::span<const std::int64_t> index, const Rows& to,
                                 Rounding rounding) {
  const auto count = static_cast<std::int64_t>(index.size());
  if (count != from.rows || weight.size() != index.size() || from.cols != to.cols) {
    return bad_extents("scatter_add");
  }
  over_rows(count, to.cols, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      const std::int64_t row = index[static_cast<std::size_t>(i)];
      level_.axpy_rounded(to.data + row * to.stride, from.data + i * from.stride,
                          weight[static_cast<std::size_t>(i)], to.cols, rounding);
    }
  });
  return {};
}

Result<void> CpuOps::add(const Rows& x, const Rows& y, Rounding rounding) {
  if (!fits(x, y)) return bad_extents("add");
  over_rows(x.rows, x.cols, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t t = begin; t < end; ++t) {
      level_.add(x.data + t * x.stride, y.data + t * y.stride, x.cols, rounding);
    }
  });
  return {};
}

Result<void> CpuOps::subtract(const Rows& x, const Rows& y) {
  if (!fits(x, y)) return bad_extents("subtract");
  over_rows(x.rows, x.cols, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t t = begin; t < end; ++t) {
      level_.subtract(x.data + t * x.stride, y.data + t * y.stride, x.cols);
    }
  });
  return {};
}

Result<void> CpuOps::row_squares(const Rows& x, const Rows& y, std::span<double> out) {
  const bool pair = y.data != nullptr;
  if (static_cast<std::int64_t>(out.size()) != x.rows) return bad_extents("row_squares");
  if (pair && !fits(x, y)) return bad_extents("row_squares");
  over_rows(x.rows, x.cols, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t t = begin; t < end; ++t) {
      out[static_cast<std::size_t>(t)] = level_.squared_distance(
          x.data + t * x.stride, pair ? y.data + t * y.stride : nullptr, x.cols);
    }
  });
  return {};
}

Result<Range> CpuOps::probe(const Rows& x) {
  std::vector<Range> rows(static_cast<std::size_t>(x.rows));
  over_rows(x.rows, x.cols, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t t = begin; t < end; ++t) {
      level_.probe(x.data + t * x.stride, x.cols, rows[static_cast<std::size_t>(t)]);
    }
  });
  Range all;
  for (std::int64_t t = 0; t < x.rows; ++t) {
    const Range& r = rows[static_cast<std::size_t>(t)];
    all.max_abs = std::max(all.max_abs, r.max_abs);
    all.above_f16 += r.above_f16;
    all.nonfinite += r.nonfinite;
    if (all.first_nonfinite < 0 && r.nonfinite > 0) all.first_nonfinite = t;
  }
  return all;
}

Result<void> CpuOps::divergence(const DivergenceArgs& args) {
  const Rows& z = args.reference;
  const Rows& w = args.candidate;
  const auto rows = static_cast<std::size_t>(z.rows);
  if (!fits(args)) return bad_extents("divergence");
  pool_.parallel_for(rows, [&](std::size_t i) {
    const auto row = static_cast<std::int64_t>(i);
    level_.divergence(z.data + row * z.stride, w.data + row * w.stride, z.cols, args.labels[i],
                      args.out[i]);
  });
  return {};
}

}  // namespace cpu

Result<std::unique_ptr<Ops>> make_cpu_ops(ThreadPool& pool, CpuLevel level) {
  const cpu::Level* avx2 = cpu::avx2_level();
  const cpu::Level* avx512 = cpu::avx512_level();
  const cpu::Level* chosen = &cpu::portable_level();
  if (level == CpuLevel::avx2) chosen = avx2;
  if (level == CpuLevel::avx512) chosen = avx512;
  if (level == CpuLevel::best && avx2 != nullptr) chosen = avx2;
  if (level == CpuLevel::best && avx512 != nullptr) chosen = avx512;
  if (chosen == nullptr) {
    return fail(ErrorKind::unsupported, "this machine lacks the instructions asked for");
  }
  return std::make_unique<cpu::CpuOps>(pool, *chosen);
}

}  // namespace ckpt::kernels
