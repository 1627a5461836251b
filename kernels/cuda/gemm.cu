// y = x w^T over BF16 terms on the matrix units. A block makes 128 x 128 results, a warp 64 x 32 of
// them; where there are few rows, 32 x 128 and 32 x 16, which does not change a bit. Every product
// of terms is summed in f32 within blocks of 256 inputs, whose sums are then added in order: a
// result's bits depend on its row of x and its row of w alone.

#include "kernels/cuda/arithmetic.cuh"
#include "kernels/cuda/kernels.h"

namespace ckpt::kernels::cuda {

namespace {

constexpr int kTile = 128;  // columns of a block
constexpr int kFewRows = 32;
constexpr int kSumDepth = 256;  // inputs per partial sum, as on the processor
constexpr int kPad = 8;         // 16-bit numbers after a row in shared memory: no bank conflicts
constexpr int kStages = 2;

struct Slot {
  std::int64_t t, n;
};

// What a launch computes: one product, or one of many for each tile.
struct Task {
  Terms x;
  const int* x_nonfinite;
  Product one;
  const Product* many;
  const RowTile* tiles;
  Rounding rounding;

  // The product of this block, and its first row of y.
  __device__ Product find(int rows, std::int64_t* row) const {
    const std::int64_t block = blockIdx.x;
    *row = many == nullptr ? block * rows : tiles[block].row;
    return many == nullptr ? one : many[tiles[block].product];
  }
};

// P terms of x by Q terms of w; Few: 32 rows in a block, else 128.
template <int P, int Q, bool Few>
struct Plan {
  static constexpr int rows = Few ? kFewRows : kTile;
  static constexpr int depth = P + Q <= 4 ? 32 : 16;  // inputs per stage
  static constexpr int row = depth + kPad;
  static constexpr int stage = (P * rows + Q * kTile) * row;  // 16-bit numbers
  static constexpr std::size_t bytes = std::size_t{kStages} * stage * 2;
  static constexpr int warps_across = Few ? 8 : 4;
  static constexpr int down = Few ? 2 : 4;    // tiles of 16 rows in a warp
  static constexpr int across = Few ? 2 : 4;  // tiles of 8 columns in a warp
};

// Rows [first, first + Rows) and inputs [k, k + Depth) of every term, zeros from row `last` on.
template <int Rows, int Depth, int Row>
__device__ void load_stage(const Terms& m, std::int64_t first, std::int64_t last, std::int64_t k,
                           std::uint16_t* to) {
  constexpr int kPieces = Depth / 8;  // of 16 bytes in a row
  for (int i = static_cast<int>(threadIdx.x); i < m.count * Rows * kPieces; i += kThreads) {
    const int piece = i % kPieces;
    const int r = i / kPieces % Rows;
    const int term = i / kPieces / Rows;
    const std::int64_t at = first + r;
    const bool inside = at < last;
    const std::uint16_t* from =
        m.data + (term * m.rows + (inside ? at : 0)) * m.depth + k + piece * 8;
    copy_async(to + (term * Rows + r) * Row + piece * 8, from, inside);
  }
}

// One stage's products for a warp: part [down][across] tiles of 16 x 8.
template <int P, int Q, class S>
__device__ void multiply_stage(const std::uint16_t* x, const std::uint16_t* w, int row0, int col0,
                               float (&part)[S::down][S::across][4]) {
  const int lane = static_cast<int>(threadIdx.x) % kWarp;
  CKPT_UNROLL
  for (int k = 0; k < S::depth; k += 16) {
    CKPT_UNROLL
    for (int p = 0; p < P; ++p) {
      std::uint32_t a[S::down][4];
      CKPT_UNROLL
      for (int i = 0; i < S::down; ++i) {
        const int r = row0 + i * 16 + lane % 16;
        load_tiles(a[i], x + (p * S::rows + r) * S::row + k + lane / 16 * 8);
      }
      CKPT_UNROLL
      for (int q = 0; q < Q; ++q) {
        if (p + q > 2) continue;  // below the last bit of the f32 products
        CKPT_UNROLL
        for (int j = 0; j < S::across / 2; ++j) {
          std::uint32_t b[4];
          const int r = col0 + j * 16 + lane % 8 + lane / 16 * 8;
          load_tiles(b, w + (q * kTile + r) * S::row + k + lane / 8 % 2 * 8);
          CKPT_UNROLL
          for (int i = 0; i < S::down; ++i) {
            multiply_tiles(part[i][j * 2], a[i], b);
            multiply_tiles(part[i][j * 2 + 1], a[i], b + 2);
          }
        }
      }
    }
  }
}

template <int P, int Q, bool Few>
__global__ void __launch_bounds__(kThreads) multiply_blocks(Task task) {
  using S = Plan<P, Q, Few>;
  auto* memory = reinterpret_cast<std::uint16_t*>(shared_memory());
  std::int64_t t0 = 0;
  const Product product = task.find(S::rows, &t0);
  const Terms& x = task.x;
  const Terms& w = product.w;
  const Rows& y = product.y;
  const std::int64_t n0 = std::int64_t{blockIdx.y} * kTile;
  if (n0 >= y.cols) return;
  const int warp = static_cast<int>(threadIdx.x) / kWarp;
  const int lane = static_cast<int>(threadIdx.x) % kWarp;
  const int row0 = warp / S::warps_across * S::down * 16;
  const int col0 = warp % S::warps_across * S::across * 8;
  const auto load = [&](std::int64_t step) {
    std::uint16_t* stage = memory + step % kStages * S::stage;
    load_stage<S::rows, S::depth, S::row>(x, product.first + t0, product.first + y.rows,
                                          step * S::depth, stage);
    load_stage<kTile, S::depth, S::row>(w, n0, w.rows, step * S::depth,
                                        stage + P * S::rows * S::row);
  };
  float total[S::down][S::across][4] = {};
  float part[S::down][S::across][4] = {};
  const std::int64_t steps = x.depth / S::depth;
  load(0);
  copy_async_commit();
  for (std::int64_t step = 0; step < steps; ++step) {
    if (step + 1 < steps) load(step + 1);
    copy_async_commit();
    copy_async_wait<1>();
    __syncthreads();
    const std::uint16_t* stage = memory + step % kStages * S::stage;
    multiply_stage<P, Q, S>(stage, stage + P * S::rows * S::row, row0, col0, part);
    if ((step + 1) % (kSumDepth / S::depth) == 0 || step + 1 == steps) {
      CKPT_UNROLL
      for (int i = 0; i < S::down; ++i) {
        CKPT_UNROLL
        for (int j = 0; j < S::across; ++j) {
          CKPT_UNROLL
          for (int c = 0; c < 4; ++c) {
            total[i][j][c] += part[i][j][c];
            part[i][j][c] = 0;
          }
        }
      }
    }
    __syncthreads();
  }
  CKPT_UNROLL
  for (int i = 0; i < S::down; ++i) {
    CKPT_UNROLL
    for (int j = 0; j < S::across; ++j) {
      CKPT_UNROLL
      for (int c = 0; c < 4; ++c) {
        const Slot at{t0 + row0 + i * 16 + lane / 4 + c / 2 * 8,
                      n0 + col0 + j * 8 + lane % 4 * 2 + c % 2};
        if (at.t < y.rows && at.n < y.cols) {
          y.data[at.t * y.stride + at.n] = rounded_to(total[i][j][c], task.rounding);
        }
      }
    }
  }
}

__device__ float whole_value(const Terms& m, std::int64_t row, std::int64_t k) {
  float value = 0;
  for (int i = m.count - 1; i >= 0; --i) {
    value += bf16_to_f32(m.data[(i * m.rows + row) * m.depth + k]);
  }
  return value;
}

// The rows that the matrix units would turn into NaN although they hold infinities only.
__global__ void multiply_rows(Task task, int rows) {
  std::int64_t t0 = 0;
  const Product product = task.find(rows, &t0);
  const Terms& x = task.x;
  const Terms& w = product.w;
  const Rows& y = product.y;
  const std::int64_t end = t0 + rows < y.rows ? t0 + rows : y.rows;
  for (std::int64_t t = t0; t < end; ++t) {
    const std::int64_t at = product.first + t;
    if (task.x_nonfinite[at] == 0 && *product.w_nonfinite == 0) continue;
    for (std::int64_t n = threadIdx.x; n < y.cols; n += kThreads) {
      float total = 0;
      for (std::int64_t first = 0; first < x.depth; first += kSumDepth) {
        const std::int64_t last = first + kSumDepth < x.depth ? first + kSumDepth : x.depth;
        float part = 0;
        for (std::int64_t k = first; k < last; ++k) {
          part = fmaf(whole_value(x, at, k), whole_value(w, n, k), part);
        }
        total += part;
      }
      y.data[t * y.stride + n] = rounded_to(total, task.rounding);
    }
  }
}

// The blocks of a launch: tiles down, columns across, rows in a tile.
struct Extent {
  unsigned down, across;
  bool few;
};

template <int P, int Q>
cudaError_t multiply_terms(cudaStream_t s, const Task& task, const Extent& e) {
  const auto run = [&](auto* kernel, auto plan) {
    return launch(kernel, dim3{e.down, e.across}, kThreads, plan.bytes, s, task);
  };
  if (e.few) return run(multiply_blocks<P, Q, true>, Plan<P, Q, true>{});
  return run(multiply_blocks<P, Q, false>, Plan<P, Q, false>{});
}

template <int P>
cudaError_t multiply_by_terms(cudaStream_t s, const Task& task, int w_terms, const Extent& e) {
  if (w_terms == 1) return multiply_terms<P, 1>(s, task, e);
  if (w_terms == 2) return multiply_terms<P, 2>(s, task, e);
  return multiply_terms<P, 3>(s, task, e);
}

cudaError_t multiply_all(cudaStream_t s, const Task& task, int w_terms, const Extent& e) {
  const cudaError_t done = task.x.count == 1 ? multiply_by_terms<1>(s, task, w_terms, e)
                                             : multiply_by_terms<3>(s, task, w_terms, e);
  if (done != cudaSuccess || task.x.count + w_terms == 2) return done;
  const int rows = e.few ? kFewRows : kTile;
  return launch(multiply_rows, dim3{e.down}, kThreads, 0, s, task, rows);
}

}  // namespace

std::int64_t tile_rows(std::int64_t most) {
  return most <= kFewRows ? kFewRows : kTile;
}

cudaError_t multiply(cudaStream_t s, const Terms& x, const int* x_nonfinite, const Product& product,
                     Rounding rounding) {
  const Rows& y = product.y;
  const std::int64_t rows = tile_rows(y.rows);
  return multiply_all(s, {x, x_nonfinite, product, nullptr, nullptr, rounding}, product.w.count,
                      {blocks_for(y.rows, rows), blocks_for(y.cols, kTile), rows == kFewRows});
}

cudaError_t multiply_grouped(cudaStream_t s, const Terms& x, const int* x_nonfinite,
                             const Products& p, Rounding rounding) {
  return multiply_all(s, {x, x_nonfinite, {}, p.all, p.tiles, rounding}, p.w_terms,
                      {static_cast<unsigned>(p.tile_count), blocks_for(p.columns, kTile),
                       tile_rows(p.most) == kFewRows});
}

}  // namespace ckpt::kernels::cuda
