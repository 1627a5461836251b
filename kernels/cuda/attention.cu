// Attention, causal or whole: a block holds 32 queries of one head and goes through the keys in
// tiles of 32, softmax updated tile by tile in f32.

#include "kernels/cuda/arithmetic.cuh"
#include "kernels/cuda/kernels.h"
#include "kernels/cuda/tiles.cuh"

namespace ckpt::kernels::cuda {

namespace {

constexpr int kKeys = 32;
constexpr int kLanes = kThreads / static_cast<int>(kQueries);  // threads of a query in the softmax
constexpr int kScoreRow = kKeys + kLeftPad;

struct Inputs {
  Heads q, k, v, o;
  float scale;
  bool causal;
};

// Columns of a head in shared memory, filled up with zeros: a warp computes 8 Wide of them.
template <std::size_t Wide>
constexpr int kWidth = 4 * 8 * static_cast<int>(Wide);

// Rows [first, first + count) of one head to shared memory, zeros around them; whether the calling
// thread's share is finite.
template <std::size_t Wide>
__device__ bool load_rows(const Heads& x, std::int64_t first, std::int64_t count, std::int64_t head,
                          const Tile& to) {
  bool finite = true;
  for (int i = static_cast<int>(threadIdx.x); i < kKeys * kWidth<Wide>; i += kThreads) {
    const int r = i / kWidth<Wide>;
    const int c = i % kWidth<Wide>;
    const bool inside = r < count && c < x.dim;
    const float value =
        inside ? x.data[(first + r) * x.token_stride + head * x.head_stride + c] : 0.0F;
    to(r, c) = value;
    finite = finite && is_finite(value);
  }
  return finite;
}

// Of the threads of a query.
template <class Join>
__device__ float join_lanes(float value, Join join) {
  for (int mask = kLanes / 2; mask > 0; mask /= 2) {
    value = join(value, __shfl_xor_sync(kAllLanes, value, mask));
  }
  return value;
}

// Thread t keeps the softmax of query t / 8; a warp computes 16 queries by 8 Wide columns.
template <std::size_t Wide>
__global__ void __launch_bounds__(kThreads)
    attend(Inputs in, const QueryTile* tiles, std::int64_t share, Rounding rounding) {
  auto* memory = reinterpret_cast<float*>(shared_memory());
  const Tile q{memory, kWidth<Wide> + kLeftPad};
  const Tile keys{q.data + kQueries * q.row, kWidth<Wide> + kLeftPad};
  const Tile values{keys.data, kWidth<Wide> + kRightPad};  // in their place
  const Tile scores{values.data + kKeys * values.row, kScoreRow};
  float* factor = scores.data + kQueries * kScoreRow;  // of a query's result
  const int depth = (static_cast<int>(in.q.dim) + 15) / 16 * 16;
  const QueryTile tile = tiles[blockIdx.x];
  const std::int64_t head = blockIdx.y;
  const std::int64_t length = tile.last - tile.first;
  const std::int64_t rows = length - tile.begin < kQueries ? length - tile.begin : kQueries;
  const int r = static_cast<int>(threadIdx.x) / kLanes;
  const int lane = static_cast<int>(threadIdx.x) % kLanes;
  const int warp = static_cast<int>(threadIdx.x) / kWarp;
  const int row = warp / 4 * 16;
  const int column = warp % 4 * 8 * static_cast<int>(Wide);
  load_rows<Wide>(in.q, tile.first + tile.begin, rows, head, q);
  float out[Wide][4] = {};
  float peak = -INFINITY;
  float sum = 0;
  const std::int64_t end = in.causal ? tile.begin + rows : length;
  for (std::int64_t key = 0; key < end; key += kKeys) {
    const std::int64_t count = end - key < kKeys ? end - key : kKeys;
    // Keys that a query sees, here; those that it does not are cut off, not weighed.
    const auto seen_by = [&](int query) {
      const std::int64_t ahead = in.causal ? tile.begin + query + 1 - key : count;
      return static_cast<int>(ahead < 0 ? 0 : ahead < count ? ahead : count);
    };
    __syncthreads();
    load_rows<Wide>(in.k, tile.first + key, count, head / share, keys);
    __syncthreads();
    product<1>(static_cast<int>(kQueries), kKeys, {Factors{q, keys.turned(), depth}},
               [&](int i, int j, float score) { scores(i, j) = score * in.scale; });
    __syncthreads();
    const bool finite = load_rows<Wide>(in.v, tile.first + key, count, head / share, values);
    const int seen = seen_by(r);
    float highest = -INFINITY;
    for (int j = lane; j < seen; j += kLanes) {
      highest = scores(r, j) > highest ? scores(r, j) : highest;
    }
    highest = join_lanes(highest, [](float a, float b) { return a > b ? a : b; });
    const float next = peak > highest ? peak : highest;
    float added = 0;
    for (int j = lane; j < kKeys; j += kLanes) {
      const float weight = j < seen ? expf(scores(r, j) - next) : 0.0F;
      scores(r, j) = weight;
      added += weight;
    }
    added = join_lanes(added, [](float a, float b) { return a + b; });
    const float keep = seen > 0 ? expf(peak - next) : 1.0F;
    sum = sum * keep + added;
    peak = next;
    if (lane == 0) factor[r] = keep;
    const bool all_finite = __syncthreads_or(finite ? 0 : 1) == 0;
    CKPT_UNROLL
    for (std::size_t i = 0; i < Wide; ++i) {
      CKPT_UNROLL
      for (int c = 0; c < 4; ++c) out[i][c] *= factor[row + result_row(c)];
    }
    if (all_finite) {
      multiply_strip({scores, values, kKeys}, row, column, out);
      continue;
    }
    // The matrix units would give every query the NaN of 0 times it.
    CKPT_UNROLL
    for (std::size_t i = 0; i < Wide; ++i) {
      CKPT_UNROLL
      for (int c = 0; c < 4; ++c) {
        const int query = row + result_row(c);
        const int at = column + static_cast<int>(i) * 8 + result_column(c);
        for (int j = 0; j < seen_by(query); ++j) {
          out[i][c] = fmaf(scores(query, j), values(j, at), out[i][c]);
        }
      }
    }
  }
  __syncthreads();
  if (lane == 0) factor[r] = 1.0F / sum;
  __syncthreads();
  CKPT_UNROLL
  for (std::size_t i = 0; i < Wide; ++i) {
    CKPT_UNROLL
    for (int c = 0; c < 4; ++c) {
      const int query = row + result_row(c);
      const int at = column + static_cast<int>(i) * 8 + result_column(c);
      if (query >= rows || at >= in.o.dim) continue;
      in.o.data[(tile.first + tile.begin + query) * in.o.token_stride + head * in.o.head_stride +
                at] = rounded_to(out[i][c] * factor[query], rounding);
    }
  }
}

}  // namespace

cudaError_t attention(cudaStream_t s, const Heads& q, const Heads& k, const Heads& v,
                      const Heads& o, float scale, const QueryTile* tiles, std::int64_t tile_count,
                      bool causal, Rounding rounding) {
  const dim3 grid{static_cast<unsigned>(tile_count), static_cast<unsigned>(q.heads)};
  const std::int64_t share = q.heads / k.heads;
  const Inputs in{q, k, v, o, scale, causal};
  const auto run = [&](auto* kernel, int width) {
    const auto floats = static_cast<std::size_t>(
        kQueries * (width + kLeftPad) + kKeys * (width + kRightPad) + kQueries * (kScoreRow + 1));
    return launch(kernel, grid, kThreads, floats * sizeof(float), s, in, tiles, share, rounding);
  };
  if (q.dim <= 64) return run(attend<2>, kWidth<2>);
  if (q.dim <= 96) return run(attend<3>, kWidth<3>);
  if (q.dim <= 128) return run(attend<4>, kWidth<4>);
  return run(attend<8>, kWidth<8>);
}

}  // namespace ckpt::kernels::cuda
