// Comparison of two rows of logits, one block a pair: metrics, sections 1 and 2.

#include "kernels/cuda/arithmetic.cuh"
#include "kernels/cuda/kernels.h"

namespace ckpt::kernels::cuda {

namespace {

// (1 + r) ln(1 + r) + (1 - r) ln(1 - r) for r in [-1, 1]: a series near 0, where the logarithms
// would cancel; exactly 0 at 0.
__device__ float jensen(float r) {
  const float s = r * r;
  if (s < 0.04F) {
    float series = 1.0F / 45.0F;
    series = series * s + 1.0F / 28.0F;
    series = series * s + 1.0F / 15.0F;
    series = series * s + 1.0F / 6.0F;
    return (series * s + 1.0F) * s;
  }
  const float a = 1.0F + fabsf(r);
  const float b = 1.0F - fabsf(r);
  return a * logf(a) + (b > 1e-30F ? b * logf(b) : 0.0F);
}

struct Scratch {
  Peak peaks[kThreads / kWarp];
  double sums[kThreads / kWarp];
  unsigned long long counts[kThreads / kWarp];
};

struct RowPeak {
  Peak peak;
  unsigned long long nonfinite;
};

// Largest finite logit with the lowest index, and how many are not finite.
__device__ RowPeak peak_of(const float* x, std::int64_t n, Scratch& scratch) {
  Peak peak{-INFINITY, 0};
  unsigned long long nonfinite = 0;
  bool any = false;
  for (std::int64_t i = threadIdx.x; i < n; i += blockDim.x) {
    nonfinite += is_finite(x[i]) ? 0U : 1U;
    if (!any || x[i] > peak.value) peak = {x[i], i};
    any = true;
  }
  nonfinite = block_sum(nonfinite, scratch.counts);
  if (nonfinite > 0) return {{-INFINITY, 0}, nonfinite};
  if (!any) peak.at = n;
  return {block_peak(peak, scratch.peaks), 0};
}

__global__ void compare_rows(Rows reference, Rows candidate, const std::int64_t* labels,
                             Divergence* out) {
  auto& scratch = *reinterpret_cast<Scratch*>(shared_memory());
  const std::int64_t row = blockIdx.x;
  const std::int64_t n = reference.cols;
  const float* z = reference.data + row * reference.stride;
  const float* w = candidate.data + row * candidate.stride;
  const RowPeak p = peak_of(z, n, scratch);
  const RowPeak q = peak_of(w, n, scratch);
  const std::int64_t label = labels[row];
  const float nan = std::bit_cast<float>(0x7FC00000U);
  Divergence d{};
  d.nonfinite_reference = p.nonfinite;
  d.nonfinite_candidate = q.nonfinite;
  d.argmax_reference = p.peak.at;
  d.argmax_candidate = q.peak.at;
  d.max_reference = p.peak.value;
  d.max_candidate = q.peak.value;
  d.label_reference = label >= 0 ? z[label] : nan;
  d.label_candidate = label >= 0 ? w[label] : nan;
  if (p.nonfinite + q.nonfinite > 0) {
    d.kl = d.kl_reverse = d.js = d.tv = d.entropy = d.confidence = double{nan};
    d.lse_reference = d.lse_candidate = double{nan};
    if (threadIdx.x == 0) out[row] = d;
    return;
  }
  double sum_p = 0, sum_q = 0, a = 0, b = 0, e = 0;
  for (std::int64_t i = threadIdx.x; i < n; i += blockDim.x) {
    const float ex = expf(z[i] - p.peak.value);
    const float ey = expf(w[i] - q.peak.value);
    const double apart = double{z[i] - w[i]};
    sum_p += double{ex};
    sum_q += double{ey};
    a += double{ex} * apart;
    b -= double{ey} * apart;
    e += double{ex} * double{z[i] - p.peak.value};
  }
  sum_p = block_sum(sum_p, scratch.sums);
  sum_q = block_sum(sum_q, scratch.sums);
  a = block_sum(a, scratch.sums);
  b = block_sum(b, scratch.sums);
  e = block_sum(e, scratch.sums);
  d.lse_reference = double{p.peak.value} + log(sum_p);
  d.lse_candidate = double{q.peak.value} + log(sum_q);
  const double difference = d.lse_candidate - d.lse_reference;
  d.kl = a / sum_p + difference;
  d.kl_reverse = b / sum_q - difference;
  d.entropy = log(sum_p) - e / sum_p;
  d.confidence = 1.0 / sum_p;
  const auto scale_p = static_cast<float>(1.0 / sum_p);
  const auto scale_q = static_cast<float>(1.0 / sum_q);
  double tv = 0, js = 0;
  for (std::int64_t i = threadIdx.x; i < n; i += blockDim.x) {
    const float pp = expf(z[i] - p.peak.value) * scale_p;
    const float qq = expf(w[i] - q.peak.value) * scale_q;
    const float mean = 0.5F * (pp + qq);
    const float half = 0.5F * (pp - qq);
    tv += double{fabsf(half)};
    if (mean > 0.0F) js += double{mean * jensen(half / mean)};
  }
  d.tv = block_sum(tv, scratch.sums);
  d.js = 0.5 * block_sum(js, scratch.sums);
  if (threadIdx.x == 0) out[row] = d;
}

}  // namespace

cudaError_t divergence(cudaStream_t s, const Rows& reference, const Rows& candidate,
                       const std::int64_t* labels, Divergence* out) {
  return launch(compare_rows, dim3{static_cast<unsigned>(reference.rows)}, kThreads,
                sizeof(Scratch), s, reference, candidate, labels, out);
}

}  // namespace ckpt::kernels::cuda
