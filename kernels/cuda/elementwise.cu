// One result per element, no sums beyond the short convolution's.

#include "kernels/cuda/arithmetic.cuh"
#include "kernels/cuda/kernels.h"

namespace ckpt::kernels::cuda {

namespace {

// body(r, c) for every element; a block takes one row at a time.
template <class Body>
__global__ void each(std::int64_t rows, std::int64_t cols, Body body) {
  for (std::int64_t r = blockIdx.x; r < rows; r += gridDim.x) {
    for (std::int64_t c = threadIdx.x; c < cols; c += blockDim.x) body(r, c);
  }
}

template <class Body>
cudaError_t for_each(cudaStream_t s, std::int64_t rows, std::int64_t cols, Body body) {
  if (rows == 0 || cols == 0) return cudaSuccess;
  constexpr std::int64_t kMostBlocks = 1 << 20;
  const int threads = cols > 128 ? kThreads : cols > 32 ? 64 : kWarp;
  const auto blocks = static_cast<unsigned>(rows < kMostBlocks ? rows : kMostBlocks);
  return launch(each<Body>, dim3{blocks}, threads, 0, s, rows, cols, body);
}

}  // namespace

cudaError_t fill(cudaStream_t s, const Rows& x, float value) {
  return for_each(s, x.rows, x.cols, [=] __device__(std::int64_t r, std::int64_t c) {
    x.data[r * x.stride + c] = value;
  });
}

cudaError_t gather(cudaStream_t s, const Rows& from, const std::int64_t* index, const Rows& to) {
  return for_each(s, to.rows, to.cols, [=] __device__(std::int64_t r, std::int64_t c) {
    to.data[r * to.stride + c] = from.data[index[r] * from.stride + c];
  });
}

cudaError_t scatter_add(cudaStream_t s, const Rows& from, const float* weight,
                        const std::int64_t* index, const Rows& to, Rounding rounding) {
  return for_each(s, from.rows, from.cols, [=] __device__(std::int64_t r, std::int64_t c) {
    float* y = to.data + index[r] * to.stride + c;
    *y += rounded_to(weight[r] * from.data[r * from.stride + c], rounding);
  });
}

cudaError_t add(cudaStream_t s, const Rows& x, const Rows& y, Rounding rounding) {
  return for_each(s, x.rows, x.cols, [=] __device__(std::int64_t r, std::int64_t c) {
    float* to = x.data + r * x.stride + c;
    *to = rounded_to(*to + y.data[r * y.stride + c], rounding);
  });
}

cudaError_t subtract(cudaStream_t s, const Rows& x, const Rows& y) {
  return for_each(s, x.rows, x.cols, [=] __device__(std::int64_t r, std::int64_t c) {
    x.data[r * x.stride + c] -= y.data[r * y.stride + c];
  });
}

cudaError_t silu(cudaStream_t s, const Rows& x, Rounding rounding) {
  return for_each(s, x.rows, x.cols, [=] __device__(std::int64_t r, std::int64_t c) {
    float* to = x.data + r * x.stride + c;
    *to = rounded_to(silu_of(*to), rounding);
  });
}

cudaError_t gelu(cudaStream_t s, const Rows& x, bool exact, Rounding rounding) {
  return for_each(s, x.rows, x.cols, [=] __device__(std::int64_t r, std::int64_t c) {
    float* to = x.data + r * x.stride + c;
    const float v = *to;
    const float inner =
        exact ? erff(v * 0.70710678F) : tanhf(0.79788456F * (v + 0.044715F * v * v * v));
    *to = rounded_to(0.5F * v * (1.0F + inner), rounding);
  });
}

cudaError_t add_bias(cudaStream_t s, const Rows& x, const float* bias, Rounding rounding) {
  return for_each(s, x.rows, x.cols, [=] __device__(std::int64_t r, std::int64_t c) {
    float* to = x.data + r * x.stride + c;
    *to = rounded_to(*to + bias[c], rounding);
  });
}

cudaError_t silu_mul(cudaStream_t s, const Rows& gate, const Rows& up, Rounding rounding) {
  return for_each(s, gate.rows, gate.cols, [=] __device__(std::int64_t r, std::int64_t c) {
    float* to = gate.data + r * gate.stride + c;
    *to = rounded_to(rounded_to(silu_of(*to), rounding) * up.data[r * up.stride + c], rounding);
  });
}

cudaError_t sigmoid_gate(cudaStream_t s, const Heads& x, const Heads& gate, Rounding rounding) {
  return for_each(s, x.tokens * x.heads, x.dim, [=] __device__(std::int64_t r, std::int64_t c) {
    float* to = head_row(x, r) + c;
    *to = rounded_to(*to * rounded_to(sigmoid_of(head_row(gate, r)[c]), rounding), rounding);
  });
}

cudaError_t moe_combine(cudaStream_t s, const Rows& routed, const Rows& shared,
                        const Rows& shared_gate, Rounding rounding) {
  return for_each(s, routed.rows, routed.cols, [=] __device__(std::int64_t r, std::int64_t c) {
    const float gate = rounded_to(sigmoid_of(shared_gate.data[r * shared_gate.stride]), rounding);
    const float part = rounded_to(gate * shared.data[r * shared.stride + c], rounding);
    float* y = routed.data + r * routed.stride + c;
    *y = rounded_to(rounded_to(*y, rounding) + part, rounding);
  });
}

cudaError_t rope(cudaStream_t s, const Heads& x, const Rows& cos, const Rows& sin,
                 const std::int32_t* position, Rounding rounding) {
  const std::int64_t half = cos.cols;
  return for_each(s, x.tokens * x.heads, half, [=] __device__(std::int64_t r, std::int64_t j) {
    const std::int64_t at = position[r / x.heads];
    const float c = cos.data[at * cos.stride + j];
    const float n = sin.data[at * sin.stride + j];
    float* v = head_row(x, r);
    const float low = v[j];
    const float high = v[j + half];
    v[j] = rounded_to(rounded_to(low * c, rounding) - rounded_to(high * n, rounding), rounding);
    v[j + half] =
        rounded_to(rounded_to(high * c, rounding) + rounded_to(low * n, rounding), rounding);
  });
}

cudaError_t conv(cudaStream_t s, const Rows& x, const Rows& y, const float* weight, int width,
                 const std::int32_t* position, Rounding rounding) {
  return for_each(s, x.rows, x.cols, [=] __device__(std::int64_t r, std::int64_t c) {
    float sum = 0;
    for (int j = 0; j < width; ++j) {
      const int back = width - 1 - j;
      if (back <= position[r]) sum += weight[c * width + j] * x.data[(r - back) * x.stride + c];
    }
    y.data[r * y.stride + c] = rounded_to(sum, rounding);
  });
}

}  // namespace ckpt::kernels::cuda
