// One block a row: sums in f64 or f32 in an order that depends on the row alone.

#include "kernels/cuda/arithmetic.cuh"
#include "kernels/cuda/kernels.h"

namespace ckpt::kernels::cuda {

namespace {

// 1 / sqrt(mean of squares + eps) of a row, the sum in f64.
__device__ float rms_factor(const float* x, std::int64_t n, float eps, double* scratch) {
  double sum = 0;
  for (std::int64_t i = threadIdx.x; i < n; i += blockDim.x) sum += double{x[i]} * double{x[i]};
  const auto total = static_cast<float>(block_sum(sum, scratch));
  return 1.0F / sqrtf(total / static_cast<float>(n) + eps);
}

__global__ void rms_norm_rows(Heads x, Heads y, const float* weight, float eps, float offset,
                              Rounding rounding) {
  auto* scratch = reinterpret_cast<double*>(shared_memory());
  const float* from = head_row(x, blockIdx.x);
  float* to = head_row(y, blockIdx.x);
  const float factor = rms_factor(from, x.dim, eps, scratch);
  for (std::int64_t i = threadIdx.x; i < x.dim; i += blockDim.x) {
    to[i] = rounded_to(from[i] * factor * (weight[i] + offset), rounding);
  }
}

__global__ void layer_norm_rows(Rows x, Rows y, const float* weight, const float* bias, float eps,
                                Rounding rounding) {
  auto* scratch = reinterpret_cast<double*>(shared_memory());
  const float* from = x.data + blockIdx.x * x.stride;
  float* to = y.data + blockIdx.x * y.stride;
  const auto count = static_cast<double>(x.cols);
  double sum = 0;
  for (std::int64_t i = threadIdx.x; i < x.cols; i += blockDim.x) sum += double{from[i]};
  const double mean = block_sum(sum, scratch) / count;
  double squares = 0;
  for (std::int64_t i = threadIdx.x; i < x.cols; i += blockDim.x) {
    const double apart = double{from[i]} - mean;
    squares += apart * apart;
  }
  const double factor = 1.0 / sqrt(block_sum(squares, scratch) / count + double{eps});
  for (std::int64_t i = threadIdx.x; i < x.cols; i += blockDim.x) {
    const double normal = (double{from[i]} - mean) * factor;
    to[i] = rounded_to(static_cast<float>(normal * double{weight[i]} + double{bias[i]}), rounding);
  }
}

__global__ void gated_norm_rows(Heads x, Heads z, const float* weight, float eps,
                                Rounding rounding) {
  auto* scratch = reinterpret_cast<double*>(shared_memory());
  float* row = head_row(x, blockIdx.x);
  const float* gate = head_row(z, blockIdx.x);
  const float factor = rms_factor(row, x.dim, eps, scratch);
  for (std::int64_t i = threadIdx.x; i < x.dim; i += blockDim.x) {
    float v = rounded_to(row[i] * factor, rounding);
    v = rounded_to(weight[i] * v, rounding);
    row[i] = rounded_to(v * silu_of(gate[i]), rounding);
  }
}

__global__ void squares_of_rows(Rows x, Rows y, double* out) {
  auto* scratch = reinterpret_cast<double*>(shared_memory());
  const float* a = x.data + blockIdx.x * x.stride;
  const float* b = y.data == nullptr ? nullptr : y.data + blockIdx.x * y.stride;
  double sum = 0;
  for (std::int64_t i = threadIdx.x; i < x.cols; i += blockDim.x) {
    const double d = double{a[i]} - (b == nullptr ? 0.0 : double{b[i]});
    sum += d * d;
  }
  sum = block_sum(sum, scratch);
  if (threadIdx.x == 0) out[blockIdx.x] = sum;
}

// Whole numbers and maxima, so that the order in which blocks arrive does not matter.
__global__ void probe_rows(Rows x, Range* range) {
  auto* scratch = reinterpret_cast<unsigned long long*>(shared_memory());
  unsigned best = 0;
  unsigned long long above_f16 = 0;
  unsigned long long nonfinite = 0;
  const float* row = x.data + blockIdx.x * x.stride;
  for (std::int64_t i = threadIdx.x; i < x.cols; i += blockDim.x) {
    const unsigned magnitude = std::bit_cast<std::uint32_t>(row[i]) & 0x7FFFFFFFU;
    const bool finite = magnitude < 0x7F800000U;
    nonfinite += finite ? 0U : 1U;
    above_f16 += magnitude > 0x477FE000U && magnitude <= 0x7F800000U ? 1U : 0U;
    if (finite && magnitude > best) best = magnitude;
  }
  atomicMax(reinterpret_cast<unsigned*>(&range->max_abs), best);
  nonfinite = block_sum(nonfinite, scratch);
  above_f16 = block_sum(above_f16, scratch);
  if (threadIdx.x > 0) return;
  atomicAdd(reinterpret_cast<unsigned long long*>(&range->above_f16), above_f16);
  atomicAdd(reinterpret_cast<unsigned long long*>(&range->nonfinite), nonfinite);
  if (nonfinite > 0) {
    atomicMin(reinterpret_cast<long long*>(&range->first_nonfinite),
              static_cast<long long>(blockIdx.x));
  }
}

struct RouteOut {
  std::int32_t* ids;
  float* weights;
  float* margins;
};

// A NaN never wins against a number and never breaks the order.
__device__ float rank_of(float p) {
  return p == p ? p : -1.0F;
}

// Shared: a Peak and a float per warp, the probabilities [E], then 1 for those already chosen.
__global__ void route_rows(Rows logits, int top_k, RouteOut out, Rounding rounding) {
  auto* peaks = reinterpret_cast<Peak*>(shared_memory());
  auto* sums = reinterpret_cast<float*>(peaks + kThreads / kWarp);
  float* p = sums + kThreads / kWarp;
  float* taken = p + logits.cols;
  const std::int64_t t = blockIdx.x;
  const float* z = logits.data + t * logits.stride;
  float highest = -INFINITY;
  for (std::int64_t e = threadIdx.x; e < logits.cols; e += blockDim.x) {
    highest = z[e] > highest ? z[e] : highest;
  }
  highest = block_peak({highest, 0}, peaks).value;
  float sum = 0;
  for (std::int64_t e = threadIdx.x; e < logits.cols; e += blockDim.x) {
    p[e] = expf(z[e] - highest);
    taken[e] = 0;
    sum += p[e];
  }
  sum = block_sum(sum, sums);
  for (std::int64_t e = threadIdx.x; e < logits.cols; e += blockDim.x) p[e] /= sum;
  __syncthreads();
  float total = 0;
  float last = 0;
  float margin = 1;
  const std::int64_t rounds = top_k < logits.cols ? top_k + 1 : top_k;
  for (std::int64_t i = 0; i < rounds; ++i) {
    Peak best{-2, logits.cols};
    for (std::int64_t e = threadIdx.x; e < logits.cols; e += blockDim.x) {
      if (taken[e] != 0) continue;
      const Peak here{rank_of(p[e]), e};
      if (above(here, best)) best = here;
    }
    best = block_peak(best, peaks);
    const float chance = p[best.at];
    if (i == top_k) {
      margin = last - chance;
      break;
    }
    total += chance;
    last = chance;
    if (threadIdx.x == 0) {
      taken[best.at] = 1;
      out.ids[t * top_k + i] = static_cast<std::int32_t>(best.at);
      out.weights[t * top_k + i] = chance;
    }
    __syncthreads();
  }
  if (threadIdx.x > 0) return;
  for (int i = 0; i < top_k; ++i) {
    float& weight = out.weights[t * top_k + i];
    weight = rounded_to(weight / total, rounding);
  }
  out.margins[t] = margin;
}

constexpr std::size_t kSums = kThreads / kWarp * sizeof(double);

unsigned grid_of(std::int64_t rows) {
  return static_cast<unsigned>(rows);
}

}  // namespace

cudaError_t rms_norm(cudaStream_t s, const Heads& x, const Heads& y, const float* weight, float eps,
                     float offset, Rounding rounding) {
  return launch(rms_norm_rows, dim3{grid_of(x.tokens * x.heads)}, kThreads, kSums, s, x, y, weight,
                eps, offset, rounding);
}

cudaError_t layer_norm(cudaStream_t s, const Rows& x, const Rows& y, const float* weight,
                       const float* bias, float eps, Rounding rounding) {
  return launch(layer_norm_rows, dim3{grid_of(x.rows)}, kThreads, kSums, s, x, y, weight, bias, eps,
                rounding);
}

cudaError_t gated_norm(cudaStream_t s, const Heads& x, const Heads& z, const float* weight,
                       float eps, Rounding rounding) {
  return launch(gated_norm_rows, dim3{grid_of(x.tokens * x.heads)}, kThreads, kSums, s, x, z,
                weight, eps, rounding);
}

cudaError_t row_squares(cudaStream_t s, const Rows& x, const Rows& y, double* out) {
  return launch(squares_of_rows, dim3{grid_of(x.rows)}, kThreads, kSums, s, x, y, out);
}

cudaError_t probe(cudaStream_t s, const Rows& x, Range* range) {
  return launch(probe_rows, dim3{grid_of(x.rows)}, kThreads, kSums, s, x, range);
}

cudaError_t route(cudaStream_t s, const Rows& logits, int top_k, std::int32_t* ids, float* weights,
                  float* margins, Rounding rounding) {
  const std::size_t shared = kThreads / kWarp * (sizeof(Peak) + sizeof(float)) +
                             static_cast<std::size_t>(logits.cols) * 2 * sizeof(float);
  return launch(route_rows, dim3{grid_of(logits.rows)}, kThreads, shared, s, logits, top_k,
                RouteOut{ids, weights, margins}, rounding);
}

}  // namespace ckpt::kernels::cuda
