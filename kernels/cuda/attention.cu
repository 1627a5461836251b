// Attention, causal or whole: a block holds 32 queries of one head and goes through the keys in
// tiles of 32, softmax updated tile by tile. f32 throughout.

#include "kernels/cuda/arithmetic.cuh"
#include "kernels/cuda/kernels.h"

namespace ckpt::kernels::cuda {

namespace {

constexpr int kKeys = 32;
constexpr int kBlock = 128;           // threads: four for each query
constexpr int kScoreRow = kKeys + 1;  // floats

struct Inputs {
  Heads q, k, v, o;
  float scale;
  bool causal;
};

__device__ const float* at(const Heads& x, std::int64_t token, std::int64_t head) {
  return x.data + token * x.token_stride + head * x.head_stride;
}

// Rows [first, first + count) of one head to shared memory, zeros after them.
__device__ void load_rows(const Heads& x, std::int64_t first, std::int64_t count, std::int64_t head,
                          float* to) {
  const auto dim = static_cast<int>(x.dim);
  for (int i = static_cast<int>(threadIdx.x); i < kKeys * dim; i += kBlock) {
    const int r = i / dim;
    const int c = i % dim;
    to[r * (dim + 1) + c] = r < count ? at(x, first + r, head)[c] : 0.0F;
  }
}

// scores[r][j] = scale * q_r k_j; a thread makes two rows of four.
__device__ void score_tile(const float* q, const float* k, int dim, float scale, float* scores) {
  const int row = static_cast<int>(threadIdx.x) / 8 * 2;
  const int col = static_cast<int>(threadIdx.x) % 8;
  float sum[2][4] = {};
  for (int d = 0; d < dim; ++d) {
    const float a0 = q[row * (dim + 1) + d];
    const float a1 = q[(row + 1) * (dim + 1) + d];
    CKPT_UNROLL
    for (int j = 0; j < 4; ++j) {
      const float b = k[(col + 8 * j) * (dim + 1) + d];
      sum[0][j] = fmaf(a0, b, sum[0][j]);
      sum[1][j] = fmaf(a1, b, sum[1][j]);
    }
  }
  CKPT_UNROLL
  for (int j = 0; j < 4; ++j) {
    scores[row * kScoreRow + col + 8 * j] = sum[0][j] * scale;
    scores[(row + 1) * kScoreRow + col + 8 * j] = sum[1][j] * scale;
  }
}

// Of the four threads of a query.
template <class Join>
__device__ float join_four(float value, Join join) {
  value = join(value, __shfl_xor_sync(kAllLanes, value, 1));
  return join(value, __shfl_xor_sync(kAllLanes, value, 2));
}

// Thread t works for query t / 4 and holds columns t % 4, t % 4 + 4, ... of its result.
template <std::size_t Columns>
__global__ void __launch_bounds__(kBlock)
    attend(Inputs in, const QueryTile* tiles, std::int64_t share, Rounding rounding) {
  auto* q = reinterpret_cast<float*>(shared_memory());
  const auto dim = static_cast<int>(in.q.dim);
  float* keys = q + kQueries * (dim + 1);  // then the values, in the same place
  float* scores = keys + kKeys * (dim + 1);
  const QueryTile tile = tiles[blockIdx.x];
  const std::int64_t head = blockIdx.y;
  const std::int64_t length = tile.last - tile.first;
  const std::int64_t rows = length - tile.begin < kQueries ? length - tile.begin : kQueries;
  const int r = static_cast<int>(threadIdx.x) / 4;
  const int part = static_cast<int>(threadIdx.x) % 4;
  load_rows(in.q, tile.first + tile.begin, rows, head, q);
  float out[Columns] = {};
  float peak = -INFINITY;
  float sum = 0;
  const std::int64_t end = in.causal ? tile.begin + rows : length;
  for (std::int64_t key = 0; key < end; key += kKeys) {
    const std::int64_t count = end - key < kKeys ? end - key : kKeys;
    __syncthreads();
    load_rows(in.k, tile.first + key, count, head / share, keys);
    __syncthreads();
    score_tile(q, keys, dim, in.scale, scores);
    __syncthreads();
    load_rows(in.v, tile.first + key, count, head / share, keys);
    // What a query may see is cut off here, not weighed with 0, which would let a NaN through.
    const std::int64_t ahead = in.causal ? tile.begin + r + 1 - key : count;
    const int seen = static_cast<int>(ahead < 0 ? 0 : ahead < count ? ahead : count);
    float highest = -INFINITY;
    for (int j = part; j < seen; j += 4) {
      const float score = scores[r * kScoreRow + j];
      highest = score > highest ? score : highest;
    }
    highest = join_four(highest, [](float a, float b) { return a > b ? a : b; });
    const float next = peak > highest ? peak : highest;
    float added = 0;
    for (int j = part; j < seen; j += 4) {
      const float weight = expf(scores[r * kScoreRow + j] - next);
      scores[r * kScoreRow + j] = weight;
      added += weight;
    }
    added = join_four(added, [](float a, float b) { return a + b; });
    __syncthreads();
    if (seen > 0) {
      const float keep = expf(peak - next);
      sum = sum * keep + added;
      peak = next;
      CKPT_UNROLL
      for (std::size_t i = 0; i < Columns; ++i) out[i] *= keep;
      for (int j = 0; j < seen; ++j) {
        const float weight = scores[r * kScoreRow + j];
        CKPT_UNROLL
        for (std::size_t i = 0; i < Columns; ++i) {
          const int c = part + 4 * static_cast<int>(i);
          if (c < dim) out[i] = fmaf(weight, keys[j * (dim + 1) + c], out[i]);
        }
      }
    }
  }
  if (r >= rows) return;
  float* o =
      in.o.data + (tile.first + tile.begin + r) * in.o.token_stride + head * in.o.head_stride;
  CKPT_UNROLL
  for (std::size_t i = 0; i < Columns; ++i) {
    const int c = part + 4 * static_cast<int>(i);
    if (c < dim) o[c] = rounded_to(out[i] * (1.0F / sum), rounding);
  }
}

}  // namespace

cudaError_t attention(cudaStream_t s, const Heads& q, const Heads& k, const Heads& v,
                      const Heads& o, float scale, const QueryTile* tiles, std::int64_t tile_count,
                      bool causal, Rounding rounding) {
  const std::size_t shared =
      static_cast<std::size_t>((kQueries + kKeys) * (q.dim + 1) + kQueries * kScoreRow) *
      sizeof(float);
  const dim3 grid{static_cast<unsigned>(tile_count), static_cast<unsigned>(q.heads)};
  const std::int64_t share = q.heads / k.heads;
  const Inputs in{q, k, v, o, scale, causal};
  const auto run = [&](auto* kernel) {
    return launch(kernel, grid, kBlock, shared, s, in, tiles, share, rounding);
  };
  if (q.dim <= 64) return run(attend<16>);
  if (q.dim <= 128) return run(attend<32>);
  return run(attend<kLargestHead / 4>);
}

}  // namespace ckpt::kernels::cuda
