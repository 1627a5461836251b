// The gated delta rule in chunks (architecture, section 3.5), one block per sequence, value head
// and slice of the value's columns, which do not meet. Names follow the formulas: A, U, W, R, O, S.

#include "kernels/cuda/arithmetic.cuh"
#include "kernels/cuda/kernels.h"

namespace ckpt::kernels::cuda {

namespace {

// Half of the processor's chunk: the state and a chunk then fit into the shared memory of every
// architecture. The chunk decides rounding, not meaning.
constexpr int kChunk = 32;
constexpr int kPad = 1;

// A matrix in shared memory: element [i, j] is data[i * row + j * col].
struct Tile {
  float* data;
  int row;
  int col = 1;

  __device__ float& operator()(int i, int j) const { return data[i * row + j * col]; }
};

enum class Sum : std::uint8_t { set, add, add_lower };

// c [m, n] = or += a [m, k] b [k, n]; add_lower takes only inputs up to the row itself, so that a
// NaN of a later token does not get through a weight of 0. A thread makes four rows of four.
template <Sum Mode>
__device__ void product(int m, int n, int k, const Tile& a, const Tile& b, const Tile& c) {
  const int rows = (m + 3) / 4;
  const int cols = (n + 3) / 4;
  for (int i = static_cast<int>(threadIdx.x); i < rows * cols; i += kThreads) {
    const int r0 = i / cols;
    const int c0 = i % cols;
    float sum[4][4] = {};
    for (int d = 0; d < k; ++d) {
      float left[4];
      float right[4];
      CKPT_UNROLL
      for (int x = 0; x < 4; ++x) {
        const int r = r0 + x * rows;
        const int column = c0 + x * cols;
        left[x] = r < m ? a(r, d) : 0.0F;
        right[x] = column < n ? b(d, column) : 0.0F;
      }
      CKPT_UNROLL
      for (int x = 0; x < 4; ++x) {
        if (Mode == Sum::add_lower && d > r0 + x * rows) continue;
        CKPT_UNROLL
        for (int y = 0; y < 4; ++y) sum[x][y] = fmaf(left[x], right[y], sum[x][y]);
      }
    }
    CKPT_UNROLL
    for (int x = 0; x < 4; ++x) {
      CKPT_UNROLL
      for (int y = 0; y < 4; ++y) {
        const int r = r0 + x * rows;
        const int column = c0 + y * cols;
        if (r >= m || column >= n) continue;
        float& to = c(r, column);
        to = Mode == Sum::set ? sum[x][y] : to + sum[x][y];
      }
    }
  }
}

__device__ float softplus(float x) {
  return x > 20.0F ? x : log1pf(expf(x));
}

struct Shapes {
  int dk;
  int dv;  // columns of the slice

  __host__ __device__ int floats() const {
    return 3 * kChunk * (dk + kPad) + 2 * kChunk * (dv + kPad) + 2 * kChunk * (kChunk + kPad) +
           dk * (dv + kPad) + 2 * kChunk;
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
    const auto take = [&](int rows, int cols) {
      const Tile t{at, cols + kPad};
      at += rows * (cols + kPad);
      return t;
    };
    q_ = take(kChunk, dk_);
    k_ = take(kChunk, dk_);
    w_ = take(kChunk, dk_);
    u_ = take(kChunk, dv_);
    o_ = take(kChunk, dv_);
    a_ = take(kChunk, kChunk);
    qk_ = take(kChunk, kChunk);
    s_ = take(dk_, dv_);
    beta_ = at;
    decay_ = at + kChunk;
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

  // Thread i < n makes row i's l2 norm: a row is short and there are as many rows as threads in a
  // warp.
  __device__ void normalise(const Heads& from, std::int64_t first, float scale, const Tile& to) {
    each(n_, dk_, [&](int i, int d) {
      to(i, d) = from.data[(first + i) * from.token_stride + key_head_ * from.head_stride + d];
    });
    __syncthreads();
    const auto i = static_cast<int>(threadIdx.x);
    if (i < n_) {
      double sum = 0;
      for (int d = 0; d < dk_; ++d) sum += double{to(i, d)} * double{to(i, d)};
      const float factor = 1.0F / sqrtf(static_cast<float>(sum) + 1e-6F);
      for (int d = 0; d < dk_; ++d) to(i, d) = to(i, d) * factor * scale;
    }
  }

  // beta, and decay as the running sum of g.
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
    if (threadIdx.x == 0) {
      for (int j = 1; j < n_; ++j) decay_[j] += decay_[j - 1];
    }
    __syncthreads();
  }

  // U starts as beta V, W as beta K exp(G).
  __device__ void load(std::int64_t first) {
    gates(first);
    normalise(args_.q, first, 1.0F / sqrtf(static_cast<float>(dk_)), q_);
    normalise(args_.k, first, 1, k_);
    __syncthreads();
    each(n_, dk_, [&](int i, int d) { w_(i, d) = k_(i, d) * beta_[i] * expf(decay_[i]); });
    each(n_, dv_, [&](int i, int j) {
      const float* v =
          args_.v.data + (first + i) * args_.v.token_stride + head_ * args_.v.head_stride;
      u_(i, j) = column_ + j < args_.v.dim ? v[column_ + j] * beta_[i] : 0.0F;
    });
    __syncthreads();
  }

  // -A, strictly lower, and Q K^T * Gamma, lower; what lies above would overflow and is not used.
  __device__ void scores() {
    const Tile k_turned{k_.data, 1, k_.row};
    product<Sum::set>(n_, n_, dk_, k_, k_turned, a_);
    product<Sum::set>(n_, n_, dk_, q_, k_turned, qk_);
    __syncthreads();
    each(n_, n_, [&](int i, int j) {
      const float gamma = j <= i ? expf(decay_[i] - decay_[j]) : 0.0F;
      a_(i, j) = j < i ? -(beta_[i] * a_(i, j) * gamma) : 0.0F;
      qk_(i, j) = j <= i ? qk_(i, j) * gamma : 0.0F;
    });
    __syncthreads();
  }

  // U and W become (I + A)^-1 of themselves by forward substitution, a thread for each column.
  __device__ void solve() {
    for (int c = static_cast<int>(threadIdx.x); c < dv_ + dk_; c += kThreads) {
      const Tile x = c < dv_ ? u_ : w_;
      const int column = c < dv_ ? c : c - dv_;
      for (int r = 1; r < n_; ++r) {
        float sum = x(r, column);
        for (int j = 0; j < r; ++j) sum = fmaf(a_(r, j), x(j, column), sum);
        x(r, column) = sum;
      }
    }
    __syncthreads();
  }

  // R = U - W S; O = (Q exp(G)) S + (Q K^T * Gamma) R; S = exp(G_n) S + (K exp(G_n - G))^T R.
  __device__ void advance(std::int64_t first) {
    each(n_, dk_, [&](int i, int d) {
      w_(i, d) = -w_(i, d);
      q_(i, d) *= expf(decay_[i]);
      k_(i, d) *= expf(decay_[n_ - 1] - decay_[i]);
    });
    __syncthreads();
    product<Sum::add>(n_, dv_, dk_, w_, s_, u_);
    product<Sum::set>(n_, dv_, dk_, q_, s_, o_);
    __syncthreads();
    product<Sum::add_lower>(n_, dv_, n_, qk_, u_, o_);
    each(dk_, dv_, [&](int i, int j) { s_(i, j) *= expf(decay_[n_ - 1]); });
    __syncthreads();
    product<Sum::add>(dk_, dv_, n_, Tile{k_.data, 1, k_.row}, u_, s_);
    each(n_, dv_, [&](int i, int j) {
      if (column_ + j >= args_.v.dim) return;
      float* o = args_.o.data + (first + i) * args_.o.token_stride + head_ * args_.o.head_stride;
      o[column_ + j] = rounded_to(o_(i, j), args_.rounding);
    });
    __syncthreads();
  }

  const DeltaRule& args_;
  int dk_;
  int dv_;
  std::int64_t head_;
  std::int64_t key_head_;
  std::int64_t column_;
  int n_ = 0;  // tokens of this chunk
  Tile q_{}, k_{}, w_{}, u_{}, o_{}, a_{}, qk_{}, s_{};
  float* beta_;
  float* decay_;
};

// Grid: slices of columns x value heads x sequences.
__global__ void scan_heads(DeltaRule args, Shapes shapes) {
  Scan scan(args, shapes, blockIdx.y, std::int64_t{blockIdx.x} * shapes.dv);
  scan.run(args.starts[blockIdx.z], args.starts[blockIdx.z + 1]);
}

}  // namespace

cudaError_t delta_rule(cudaStream_t s, const DeltaRule& args, std::int64_t shared_limit) {
  Shapes shapes{static_cast<int>(args.k.dim), 64};
  const auto bytes = [&] { return static_cast<std::int64_t>(shapes.floats()) * 4; };
  while (shapes.dv > 8 && (bytes() > shared_limit || shapes.dv / 2 >= args.v.dim)) shapes.dv /= 2;
  if (bytes() > shared_limit) return cudaErrorMemoryAllocation;
  const dim3 grid{blocks_for(args.v.dim, shapes.dv), static_cast<unsigned>(args.v.heads),
                  static_cast<unsigned>(args.sequences)};
  return launch(scan_heads, grid, kThreads, static_cast<std::size_t>(bytes()), s, args, shapes);
}

}  // namespace ckpt::kernels::cuda
