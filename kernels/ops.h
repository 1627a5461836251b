#pragma once
// The op interface: the model code in validator/forward is written once over it. Activations are
// f32 rows in backend memory; views may point to device memory, so only a backend dereferences
// them. Everything here is blocking from the caller's point of view.

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "kernels/matrix.h"
#include "kernels/views.h"
#include "validator/base/result.h"
#include "validator/base/thread_pool.h"

namespace ckpt::kernels {

/// Backend memory for `size()` floats, freed on destruction. Contents are undefined at first.
class Buffer {
 public:
  Buffer() = default;

  Buffer(float* data, std::int64_t size, std::function<void(float*)> release)
      : data_(data), size_(size), release_(std::move(release)) {}

  Buffer(Buffer&& other) noexcept;
  Buffer& operator=(Buffer&& other) noexcept;
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;
  ~Buffer();

  [[nodiscard]] float* data() const { return data_; }

  [[nodiscard]] std::int64_t size() const { return size_; }

 private:
  float* data_ = nullptr;
  std::int64_t size_ = 0;
  std::function<void(float*)> release_;
};

/// A weight matrix made ready by a backend. Host bytes behind it must outlive it.
class Matrix {
 public:
  virtual ~Matrix() = default;
  [[nodiscard]] virtual std::int64_t n() const = 0;
  [[nodiscard]] virtual std::int64_t k() const = 0;
};

/// One product of a gemm: y [T, N] = x [T, K] * w[N, K]^T.
struct GemmPart {
  const Matrix* w = nullptr;
  Rows y;
};

struct GemmArgs {
  Rows x;                           ///< [T, K]
  std::span<const GemmPart> parts;  ///< each reads the same x; none may overlap x
  Rounding rounding = Rounding::none;
  /// The caller's word that x holds BF16 numbers only. With weights that do too, a backend may then
  /// use BF16 matrix instructions: the same products, sums in f32 with subnormals taken as 0.
  bool x_is_bf16 = false;
};

/// One product of a grouped gemm: y [R, N] = x[first, first + R) * w[N, K]^T.
struct GemmGroup {
  const Matrix* w = nullptr;
  std::int64_t first = 0;
  Rows y;
};

struct GroupedGemmArgs {
  Rows x;  ///< [T, K]
  /// Their rows of x may overlap; their y may neither overlap each other nor x.
  std::span<const GemmGroup> groups;
  Rounding rounding = Rounding::none;
  bool x_is_bf16 = false;  ///< as in GemmArgs
};

struct NormArgs {
  Heads x;
  Heads y;                        ///< may be x
  std::span<const float> weight;  ///< host, [dim]
  float eps = 1e-6F;
  float weight_offset = 1;  ///< 1 for the zero-centred norms of Qwen3.5
  Rounding rounding = Rounding::none;
};

struct RopeArgs {
  Heads x;   ///< in place; the first 2 * cos.cols of each head turn
  Rows cos;  ///< [positions, d/2], rounded already
  Rows sin;
  std::span<const std::int64_t> starts;  ///< first row of each sequence, then the row count
  Rounding rounding = Rounding::none;
};

struct AttentionArgs {
  Heads q;  ///< [T, nh, D]
  Heads k;  ///< [T, nkv, D]
  Heads v;  ///< [T, nkv, D]
  Heads o;  ///< [T, nh, D]
  float scale = 1;
  std::span<const std::int64_t> starts;
  Rounding rounding = Rounding::none;
};

struct LayerNormArgs {
  Rows x;
  Rows y;                         ///< may be x
  std::span<const float> weight;  ///< host, [cols]
  std::span<const float> bias;    ///< host, [cols]
  float eps = 1e-6F;
  Rounding rounding = Rounding::none;
};

/// Which GELU: x/2 (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))), or x/2 (1 + erf(x / sqrt 2)).
enum class Gelu : std::uint8_t { tanh, erf };

struct GateArgs {
  Heads x;     ///< in place
  Heads gate;  ///< same extents
  Rounding rounding = Rounding::none;
};

struct ConvArgs {
  Rows x;                         ///< [T, C]
  Rows y;                         ///< [T, C], not x
  std::span<const float> weight;  ///< host, [C, W]
  std::span<const std::int64_t> starts;
  Rounding rounding = Rounding::none;
};

struct DeltaRuleArgs {
  Heads q;                         ///< [T, nk, dk]
  Heads k;                         ///< [T, nk, dk]
  Heads v;                         ///< [T, nv, dv]
  Rows b;                          ///< [T, nv], before the sigmoid
  Rows a;                          ///< [T, nv]
  std::span<const float> a_log;    ///< host, [nv]
  std::span<const float> dt_bias;  ///< host, [nv]
  Heads o;                         ///< [T, nv, dv]
  std::span<const std::int64_t> starts;
  Rounding rounding = Rounding::none;
};

struct GatedNormArgs {
  Heads x;                        ///< [T, nv, dv], in place
  Heads z;                        ///< same extents
  std::span<const float> weight;  ///< host, [dv]
  float eps = 1e-6F;
  Rounding rounding = Rounding::none;
};

struct RouteArgs {
  Rows logits;  ///< [T, E]
  std::int64_t top_k = 1;
  std::span<std::int32_t> ids;         ///< host, [T, K], descending probability
  std::span<float> weights;            ///< host, [T, K]
  std::span<float> margins;            ///< host, [T]: p(k-th) - p(next); 1 when K == E
  Rounding rounding = Rounding::none;  ///< of the weights
};

struct MoeCombineArgs {
  Rows routed;       ///< [T, H] f32 sums over slots; becomes the block's output
  Rows shared;       ///< [T, H]
  Rows shared_gate;  ///< [T, 1], before the sigmoid
  Rounding rounding = Rounding::none;
};

struct DivergenceArgs {
  Rows reference;                        ///< [P, V]
  Rows candidate;                        ///< [P, V]
  std::span<const std::int64_t> labels;  ///< [P], -1 for none
  std::span<Divergence> out;             ///< host, [P]
};

/// The ops of the forward pass. Contract of all: sizes may be 0 in tokens; NaN and Inf go through;
/// the result depends neither on the thread count nor, row by row, on the other rows of a call.
/// Errors: memory (scratch), device, internal (extents that do not fit). Calls from one thread.
class Ops {
 public:
  virtual ~Ops() = default;
  [[nodiscard]] virtual std::string_view name() const = 0;  ///< `cpu avx512`

  /// The calling thread is the one that uses these ops from now on. Errors: device.
  [[nodiscard]] virtual Result<void> enter() { return {}; }

  /// Bytes that weights and activations may take where these ops compute; 0: the host's memory.
  [[nodiscard]] virtual std::uint64_t memory() const { return 0; }

  /// Bytes of weights that it pays to make matrices of before their turn, because they travel to
  /// the device meanwhile; 0 where nothing travels.
  [[nodiscard]] virtual std::uint64_t matrices_ahead() const { return 0; }

  /// Bytes of weights, as stored, that it pays to hold at a time so that one grouped_gemm serves
  /// several experts; 0 where one after the other costs the same.
  [[nodiscard]] virtual std::uint64_t group_bytes() const { return 0; }

  /// Errors: memory.
  [[nodiscard]] virtual Result<Buffer> allocate(std::int64_t floats) = 0;
  /// Copies host [rows, cols] into a view, and back.
  [[nodiscard]] virtual Result<void> write(const Rows& to, std::span<const float> from) = 0;
  [[nodiscard]] virtual Result<void> read(const Rows& from, std::span<float> to) = 0;
  /// Prepares W for gemm. Errors: unsupported (a layout it cannot read), internal (sizes).
  [[nodiscard]] virtual Result<std::unique_ptr<Matrix>> matrix(const MatrixView& view) = 0;

  /// y[t, n] = rd(sum_k x[t, k] * w[n, k]). f32 fused multiply-add in ascending k within blocks of
  /// 256, the blocks added in order. Tolerance against f64: (256 + K/256) * 2^-24 * sum |x||w|.
  [[nodiscard]] virtual Result<void> gemm(const GemmArgs& args) = 0;
  /// The bits of one gemm() per group, in one launch where that is faster.
  [[nodiscard]] virtual Result<void> grouped_gemm(const GroupedGemmArgs& args);
  /// y = rd(x * rsqrt(mean(x^2) + eps) * (weight + weight_offset)) per head; sums in f64.
  /// Tolerance 4 ulp. Source: arXiv 1910.07467; transformers 5.17, models/qwen3_5_moe.
  [[nodiscard]] virtual Result<void> rms_norm(const NormArgs& args) = 0;
  /// Rotate-half on dims j and j + d/2: rd(rd(x_j c) - rd(x_{j+d/2} s)) and the mirrored sum;
  /// position = row - start of its sequence. Architecture, section 3.3.
  [[nodiscard]] virtual Result<void> rope(const RopeArgs& args) = 0;
  /// Causal softmax attention in f32 within each sequence, query head h on kv head h div (nh/nkv);
  /// tiles of keys, never a whole score matrix. Rounds once, at the store.
  [[nodiscard]] virtual Result<void> attention(const AttentionArgs& args) = 0;
  /// x = rd(x * rd(sigmoid(gate))).
  [[nodiscard]] virtual Result<void> sigmoid_gate(const GateArgs& args) = 0;
  /// y[t, c] = rd(sum_j w[c, j] * x[t - (W-1) + j, c]); rows before a sequence's start are 0.
  [[nodiscard]] virtual Result<void> conv(const ConvArgs& args) = 0;
  /// x = rd(silu(x)).
  [[nodiscard]] virtual Result<void> silu(const Rows& x, Rounding rounding) = 0;
  /// Gated delta rule, chunks of 64, f32 with state 0 at each start: l2-normalised q and k (eps
  /// 1e-6), q scaled by dk^-1/2, beta = rd(sigmoid(b)), g = -exp(a_log) * softplus(a + dt_bias).
  /// Rounds o. Architecture, section 3.5.
  [[nodiscard]] virtual Result<void> delta_rule(const DeltaRuleArgs& args) = 0;
  /// Norm first, gate after: n = rd(x * rsqrt(mean(x^2) + eps)); n = rd(w * n);
  /// x = rd(n * silu(z)).
  [[nodiscard]] virtual Result<void> gated_norm(const GatedNormArgs& args) = 0;
  /// Softmax over E in f32, top K by probability (lower index on ties), weights rd(p / sum).
  [[nodiscard]] virtual Result<void> route(const RouteArgs& args) = 0;
  /// gate = rd(rd(silu(gate)) * up), in place on gate.
  [[nodiscard]] virtual Result<void> silu_mul(const Rows& gate, const Rows& up, Rounding r) = 0;
  [[nodiscard]] virtual Result<void> fill(const Rows& x, float value) = 0;
  /// to[i, :] = from[index[i], :].
  [[nodiscard]] virtual Result<void> gather(const Rows& from, std::span<const std::int64_t> index,
                                            const Rows& to) = 0;
  /// to[index[i], :] += rd(weight[i] * from[i, :]); indices are distinct.
  [[nodiscard]] virtual Result<void> scatter_add(const Rows& from, std::span<const float> weight,
                                                 std::span<const std::int64_t> index,
                                                 const Rows& to, Rounding rounding) = 0;
  /// x = rd(x + y).
  [[nodiscard]] virtual Result<void> add(const Rows& x, const Rows& y, Rounding rounding) = 0;
  /// x = x - y.
  [[nodiscard]] virtual Result<void> subtract(const Rows& x, const Rows& y) = 0;
  /// routed = rd(rd(routed) + rd(rd(sigmoid(shared_gate)) * shared)).
  [[nodiscard]] virtual Result<void> moe_combine(const MoeCombineArgs& args) = 0;
  /// out[t] = sum_c (x[t, c] - y[t, c])^2 in f64; y.data null stands for 0.
  [[nodiscard]] virtual Result<void> row_squares(const Rows& x, const Rows& y,
                                                 std::span<double> out) = 0;
  [[nodiscard]] virtual Result<Range> probe(const Rows& x) = 0;
  /// Compares the distributions of two blocks of logits, row by row; exactly 0 for equal rows.
  /// Exponentials in f32 (2 ulp), sums and logarithms of sums in f64. A row with a non-finite logit
  /// gets NaN divergences and its counts. Metrics, sections 1 and 2.
  [[nodiscard]] virtual Result<void> divergence(const DivergenceArgs& args) = 0;

  // Ops of the vision tower. A backend without them computes no images.

  /// y = rd((x - mean) * rsqrt(variance + eps) * weight + bias) per row; sums in f64. Tolerance:
  /// 4 ulp of the largest term. Source: arXiv 1607.06450; architecture, section 4.
  [[nodiscard]] virtual Result<void> layer_norm(const LayerNormArgs& args) {
    static_cast<void>(args);
    return lacks("layer_norm");
  }

  /// x = rd(gelu(x)). Tolerance against f64: 2^-21 of max(|x|, 1), both kinds.
  [[nodiscard]] virtual Result<void> gelu(const Rows& x, Gelu kind, Rounding rounding) {
    static_cast<void>(x), static_cast<void>(kind), static_cast<void>(rounding);
    return lacks("gelu");
  }

  /// x[t, :] = rd(x[t, :] + bias); bias is host, [cols].
  [[nodiscard]] virtual Result<void> add_bias(const Rows& x, std::span<const float> bias,
                                              Rounding rounding) {
    static_cast<void>(x), static_cast<void>(bias), static_cast<void>(rounding);
    return lacks("add_bias");
  }

  /// As attention(), but every token of a sequence sees all of it.
  [[nodiscard]] virtual Result<void> full_attention(const AttentionArgs& args) {
    static_cast<void>(args);
    return lacks("full_attention");
  }

 private:
  [[nodiscard]] tl::unexpected<Error> lacks(std::string_view op) const {
    return fail(ErrorKind::unsupported, std::string(name()) + " has no " + std::string(op));
  }
};

/// Which instructions the CPU backend uses: the best of the machine, or a forced level for tests.
enum class CpuLevel : std::uint8_t { best, portable, avx2, avx512 };

/// The CPU backend over `pool`, which must outlive it. Errors: unsupported (the machine lacks the
/// forced level).
[[nodiscard]] Result<std::unique_ptr<Ops>> make_cpu_ops(ThreadPool& pool,
                                                        CpuLevel level = CpuLevel::best);

}  // namespace ckpt::kernels
