// The gated delta rule in chunks (architecture, section 3.5), one block per sequence, value head
// and slice of the value's columns, which do not meet. Names follow the formulas: U, W, R, O, S.

#include "kernels/cuda/arithmetic.cuh"
#include "kernels/cuda/kernels.h"
#include "kernels/cuda/tiles.cuh"

namespace ckpt::kernels::cuda {

namespace {

// Half of the processor's chunk: the state and a chunk then fit into the shared memory of every
// architecture. The chunk decides rounding, not meaning.
constexpr int kChunk = 32;

__device__ float softplus(float x) {
  return x > 20.0F ? x : log1pf(expf(x));
}

// Multiples of 16, filled up with zeros.
struct Shapes {
  int dk;
  int dv;  // columns of the slice

  __host__ __device__ int floats() const {
    return 3 * kChunk * (dk + kLeftPad) + (kChunk + dk) * (dv + kRightPad) +
           2 * kChunk * (kChunk + kLeftPad) + 4 * kChunk;
  }
};

class Scan {
 public:
  __device__ Scan(const DeltaRule& args, Shapes shapes, std::int64_t head, std::int64_t column)
      : args_(args),
        dk_(shapes.dk),
        dv_(shapes.dv),
        head_(head),
        key_head_(head / (args.v.heads / args.k.heads)),
        column_(column) {
    auto* at = reinterpret_cast<float*>(shared_memory());
    const auto take = [&](int rows, int row) {
      const Tile t{at, row};
      at += rows * row;
      return t;
    };
    q_ = take(kChunk, dk_ + kLeftPad);
    k_ = take(kChunk, dk_ + kLeftPad);
    w_ = take(kChunk, dk_ + kLeftPad);
    a_ = take(kChunk, kChunk + kLeftPad);
    qk_ = take(kChunk, kChunk + kLeftPad);
    u_ = take(kChunk, dv_ + kRightPad);
    s_ = take(dk_, dv_ + kRightPad);
    beta_ = at;
    decay_ = beta_ + kChunk;
    grown_ = decay_ + kChunk;
    left_ = grown_ + kChunk;
  }

  __device__ void run(std::int64_t begin, std::int64_t end) {
    each(dk_, dv_, [&](int i, int j) { s_(i, j) = 0; });
    for (std::int64_t first = begin; first < end; first += kChunk) {
      n_ = static_cast<int>(end - first < kChunk ? end - first : kChunk);
      load(first);
      scores();
      solve();
      advance(first);
    }
  }

 private:
  template <class Body>
  __device__ void each(int rows, int cols, Body body) {
    for (int i = static_cast<int>(threadIdx.x); i < rows * cols; i += kThreads) {
      body(i / cols, i % cols);
    }
  }

  // Eight lanes make a row's l2 norm; rows from n on are 0.
  __device__ void normalise(const Heads& from, std::int64_t first, float scale, const Tile& to) {
    constexpr int kLanes = kThreads / kChunk;
    const int i = static_cast<int>(threadIdx.x) / kLanes;
    const int lane = static_cast<int>(threadIdx.x) % kLanes;
    const float* x =
        from.data + (first + (i < n_ ? i : 0)) * from.token_stride + key_head_ * from.head_stride;
    double sum = 0;
    for (int d = lane; d < dk_; d += kLanes) {
      const float value = i < n_ && d < from.dim ? x[d] : 0.0F;
      to(i, d) = value;
      sum += double{value} * double{value};
    }
    for (int mask = kLanes / 2; mask > 0; mask /= 2) sum += __shfl_xor_sync(kAllLanes, sum, mask);
    const float factor = 1.0F / sqrtf(static_cast<float>(sum) + 1e-6F);
    for (int d = lane; d < dk_; d += kLanes) to(i, d) = to(i, d) * factor * scale;
  }

  // beta, decay as the running sum G of g, exp(G) and exp(G_n - G); the same from n on as at n - 1.
  __device__ void gates(std::int64_t first) {
    const auto i = static_cast<int>(threadIdx.x);
    if (i < n_) {
      const std::int64_t t = first + i;
      const float rate = -expf(args_.a_log[head_]);
      const float a = args_.a.data[t * args_.a.stride + head_] + args_.dt_bias[head_];
      beta_[i] = rounded_to(sigmoid_of(args_.b.data[t * args_.b.stride + head_]), args_.rounding);
      decay_[i] = rate * softplus(a);
    }
    __syncthreads();
    if (i == 0) {
      for (int j = 1; j < n_; ++j) decay_[j] += decay_[j - 1];
      for (int j = n_; j < kChunk; ++j) decay_[j] = decay_[n_ - 1], beta_[j] = 0;
    }
    __syncthreads();
    if (i < kChunk) {
      grown_[i] = expf(decay_[i]);
      left_[i] = expf(decay_[n_ - 1] - decay_[i]);
    }
  }

  // U starts as beta V, W as beta K exp(G).
  __device__ void load(std::int64_t first) {
    gates(first);
    normalise(args_.q, first, 1.0F / sqrtf(static_cast<float>(args_.k.dim)), q_);
    normalise(args_.k, first, 1, k_);
    __syncthreads();
    each(kChunk, dk_, [&](int i, int d) { w_(i, d) = k_(i, d) * beta_[i] * grown_[i]; });
    each(kChunk, dv_, [&](int i, int j) {
      const float* v =
          args_.v.data + (first + i) * args_.v.token_stride + head_ * args_.v.head_stride;
      u_(i, j) = i < n_ && column_ + j < args_.v.dim ? v[column_ + j] * beta_[i] : 0.0F;
    });
    __syncthreads();
  }

  // -A, strictly lower, and Q K^T * Gamma, lower; what lies above would overflow and is not used.
  __device__ void scores() {
    const auto gamma = [&](int i, int j) { return expf(decay_[i] - decay_[j]); };
    product<1>(kChunk, kChunk, {Factors{k_, k_.turned(), dk_}}, [&](int i, int j, float kk) {
      a_(i, j) = j < i ? -(beta_[i] * kk * gamma(i, j)) : 0.0F;
    });
    product<1>(kChunk, kChunk, {Factors{q_, k_.turned(), dk_}},
               [&](int i, int j, float qk) { qk_(i, j) = j <= i ? qk * gamma(i, j) : 0.0F; });
    __syncthreads();
  }

  // U and W become (I + A)^-1 of themselves by forward substitution, a thread for each column.
  __device__ void solve() {
    for (int c = static_cast<int>(threadIdx.x); c < dv_ + dk_; c += kThreads) {
      const Tile x = c < dv_ ? u_ : w_;
      const int column = c < dv_ ? c : c - dv_;
      float value[kChunk];
      CKPT_UNROLL
      for (int r = 0; r < kChunk; ++r) {
        float sum = x(r, column);
        CKPT_UNROLL
        for (int j = 0; j < r; ++j) sum = fmaf(a_(r, j), value[j], sum);
        value[r] = sum;
        x(r, column) = c < dv_ ? sum : -sum;
      }
    }
    each(kChunk, dk_, [&](int i, int d) {
      q_(i, d) *= grown_[i];
      k_(i, d) *= left_[i];
    });
    __syncthreads();
  }

  // R = U - W S; O = (Q exp(G)) S + (Q K^T * Gamma) R; S = exp(G_n) S + (K exp(G_n - G))^T R.
  __device__ void advance(std::int64_t first) {
    bool finite = true;
    product<2>(kChunk, dv_, {Factors{w_, s_, dk_}}, [&](int i, int j, float ws) {
      u_(i, j) += ws;
      finite = finite && is_finite(u_(i, j));
    });
    const auto store = [&](int i, int j, float o) {
      if (i >= n_ || column_ + j >= args_.v.dim) return;
      args_.o.data[(first + i) * args_.o.token_stride + head_ * args_.o.head_stride + column_ + j] =
          rounded_to(o, args_.rounding);
    };
    if (__syncthreads_or(finite ? 0 : 1) == 0) {
      product<2>(kChunk, dv_, {Factors{q_, s_, dk_}, Factors{qk_, u_, kChunk}}, store);
    } else {
      causal_output(store);
    }
    __syncthreads();
    const float kept = grown_[n_ - 1];
    product<2>(dk_, dv_, {Factors{k_.turned(), u_, kChunk}},
               [&](int i, int j, float ku) { s_(i, j) = fmaf(s_(i, j), kept, ku); });
    __syncthreads();
  }

  // O where R is not finite: the matrix units would give earlier tokens the NaN of 0 times it.
  template <class Store>
  __device__ void causal_output(Store store) {
    each(n_, dv_, [&](int i, int j) {
      float sum = 0;
      for (int d = 0; d < dk_; ++d) sum = fmaf(q_(i, d), s_(d, j), sum);
      for (int t = 0; t <= i; ++t) sum = fmaf(qk_(i, t), u_(t, j), sum);
      store(i, j, sum);
    });
  }

  const DeltaRule& args_;
  int dk_;
  int dv_;
  std::int64_t head_;
  std::int64_t key_head_;
  std::int64_t column_;
  int n_ = 0;  // tokens of this chunk; later rows are 0
  Tile q_{}, k_{}, w_{}, u_{}, a_{}, qk_{}, s_{};
  float *beta_, *decay_, *grown_, *left_;
};

// Grid: slices of columns x value heads x sequences.
__global__ void __launch_bounds__(kThreads) scan_heads(DeltaRule args, Shapes shapes) {
  Scan scan(args, shapes, blockIdx.y, std::int64_t{blockIdx.x} * shapes.dv);
  scan.run(args.starts[blockIdx.z], args.starts[blockIdx.z + 1]);
}

}  // namespace

cudaError_t delta_rule(cudaStream_t s, const DeltaRule& args, std::int64_t shared_limit) {
  Shapes shapes{(static_cast<int>(args.k.dim) + 15) / 16 * 16, 64};
  const auto bytes = [&] { return static_cast<std::int64_t>(shapes.floats()) * 4; };
  while (shapes.dv > 16 && (bytes() > shared_limit || shapes.dv / 2 >= args.v.dim)) shapes.dv /= 2;
  if (bytes() > shared_limit) return cudaErrorMemoryAllocation;
  const dim3 grid{blocks_for(args.v.dim, shapes.dv), static_cast<unsigned>(args.v.heads),
                  static_cast<unsigned>(args.sequences)};
  return launch(scan_heads, grid, kThreads, static_cast<std::size_t>(bytes()), s, args, shapes);
}

}  // namespace ckpt::kernels::cuda
