// The gated delta rule in chunks (architecture, section 3.5), one block per sequence, value head
// and slice of the value's columns, which do not meet. Names follow the formulas: U, W, R, O, S.
// The products are those of f32 numbers, each as a sum of two TF32 ones, on the matrix units.

#include "kernels/cuda/arithmetic.cuh"
#include "kernels/cuda/kernels.h"

namespace ckpt::kernels::cuda {

namespace {

// Half of the processor's chunk: the state and a chunk then fit into the shared memory of every
// architecture. The chunk decides rounding, not meaning.
constexpr int kChunk = 32;
constexpr int kWarps = kThreads / kWarp;
// Floats after a row. The lanes of a warp read 8 rows of 4 floats of a left factor and of a right
// one that is stored turned, 4 rows of 8 floats of any other: no two then meet in a bank.
constexpr int kLeftPad = 4;
constexpr int kRightPad = 8;

// A matrix in shared memory: element [i, j] is data[i * row + j * col].
struct Tile {
  float* data;
  int row;
  int col = 1;

  __device__ float& operator()(int i, int j) const { return data[i * row + j * col]; }

  [[nodiscard]] __device__ Tile turned() const { return {data, col, row}; }
};

// a [m, k] b [k, n]; all extents are multiples of 16.
struct Factors {
  Tile a, b;
  int k;
};

// x as hi + lo, both TF32, but for 2^-22 of it.
struct Halves {
  std::uint32_t hi, lo;
};

__device__ Halves halves_of(float x) {
  const std::uint32_t hi = tf32_of(x);
  return {hi, tf32_of(x - std::bit_cast<float>(hi))};
}

// sum [Wide] += the factors' tiles of 16 x 8 from `row` and `column` on. Each 16 inputs are summed
// by the matrix units, which cut bits off, the small products first, and then added in f32.
template <std::size_t Wide>
__device__ void multiply_strip(const Factors& f, int row, int column, float (&sum)[Wide][4]) {
  const int lane = static_cast<int>(threadIdx.x) % kWarp;
  const int group = lane / 4;
  const int place = lane % 4;
  for (int k = 0; k < f.k; k += 16) {
    std::uint32_t a_hi[2][4], a_lo[2][4];
    CKPT_UNROLL
    for (int i = 0; i < 8; ++i) {
      const Halves h =
          halves_of(f.a(row + group + i % 2 * 8, k + i / 4 * 8 + place + i / 2 % 2 * 4));
      a_hi[i / 4][i % 4] = h.hi;
      a_lo[i / 4][i % 4] = h.lo;
    }
    CKPT_UNROLL
    for (int j = 0; j < static_cast<int>(Wide); ++j) {
      std::uint32_t b_hi[2][2], b_lo[2][2];
      CKPT_UNROLL
      for (int i = 0; i < 4; ++i) {
        const Halves h = halves_of(f.b(k + place + i * 4, column + j * 8 + group));
        b_hi[i / 2][i % 2] = h.hi;
        b_lo[i / 2][i % 2] = h.lo;
      }
      float part[4] = {};
      CKPT_UNROLL
      for (int i = 0; i < 2; ++i) {
        multiply_tf32(part, a_lo[i], b_hi[i]);
        multiply_tf32(part, a_hi[i], b_lo[i]);
      }
      CKPT_UNROLL
      for (int i = 0; i < 2; ++i) multiply_tf32(part, a_hi[i], b_hi[i]);
      CKPT_UNROLL
      for (int c = 0; c < 4; ++c) sum[j][c] += part[c];
    }
  }
}

// store(i, j, sum over all factors of [i, j]) for [m, n]; a warp makes strips of 16 x 8 Wide.
template <std::size_t Wide, std::size_t Count, class Store>
__device__ void product(int m, int n, const Factors (&all)[Count], Store store) {
  const int lane = static_cast<int>(threadIdx.x) % kWarp;
  constexpr int kColumns = 8 * static_cast<int>(Wide);
  const int across = n / kColumns;
  for (int i = static_cast<int>(threadIdx.x) / kWarp; i < m / 16 * across; i += kWarps) {
    const int row = i / across * 16;
    const int column = i % across * kColumns;
    float sum[Wide][4] = {};
    CKPT_UNROLL
    for (std::size_t f = 0; f < Count; ++f) multiply_strip(all[f], row, column, sum);
    CKPT_UNROLL
    for (int j = 0; j < static_cast<int>(Wide); ++j) {
      CKPT_UNROLL
      for (int c = 0; c < 4; ++c) {
        store(row + lane / 4 + c / 2 * 8, column + j * 8 + lane % 4 * 2 + c % 2, sum[j][c]);
      }
    }
  }
}

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
