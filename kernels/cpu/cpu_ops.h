#pragma once

#include <memory>

#include "kernels/cpu/bf16.h"
#include "kernels/cpu/level.h"
#include "kernels/extents.h"

namespace ckpt::kernels::cpu {

struct FreeAligned {
  void operator()(float* p) const { ::operator delete[](p, std::align_val_t{64}); }
};

using Scratch = std::unique_ptr<float[], FreeAligned>;

/// `floats` uninitialised floats on a cache line boundary; null when memory is short.
[[nodiscard]] Scratch make_scratch(std::int64_t floats);

/// W as described by its view; decodes panels on demand. Views host bytes, owns nothing.
class CpuMatrix final : public Matrix {
 public:
  explicit CpuMatrix(const MatrixView& view) : view_(view) {}

  [[nodiscard]] std::int64_t n() const override { return view_.n; }

  [[nodiscard]] std::int64_t k() const override { return view_.k; }

  [[nodiscard]] const MatrixView& view() const { return view_; }

 private:
  MatrixView view_;
};

/// Decodes columns [n_begin, n_begin + 32) of W^T, a depth block at a time. Scales and zeros of the
/// panel are unpacked once. Valid while the matrix lives; not thread-safe.
class PanelReader {
 public:
  PanelReader(const Level& level, const MatrixView& view, std::int64_t n_begin);
  /// Rows [k_begin, k_end) to `to` [k_end - k_begin, 32]; columns beyond N are 0.
  void read(std::int64_t k_begin, std::int64_t k_end, float* to) const;
  /// The same as pairs of BF16, for weights that are BF16; `scratch` [k_end - k_begin, 32].
  void read_pairs(const Bf16Kernels& kernels, std::int64_t k_begin, std::int64_t k_end,
                  float* scratch, std::uint32_t* to) const;

  [[nodiscard]] bool ok() const { return ok_; }

 private:
  void unpack_groups();
  [[nodiscard]] DecodeArgs codes(std::int64_t k_begin, std::int64_t k_end, float* to) const;
  [[nodiscard]] TransposeArgs rows(std::int64_t k_begin, std::int64_t k_end, float* to) const;
  void read_floats(std::int64_t k_begin, std::int64_t k_end, float* to) const;
  void read_codes(std::int64_t k_begin, std::int64_t k_end, float* to) const;

  const Level& level_;
  const MatrixView& view_;
  std::int64_t n_begin_;
  std::int64_t cols_;
  /// How codes are read: one by one, or a vector of outputs at a time from words that lie side by
  /// side, from rows that are turned first, or from AWQ's interleaved ones.
  enum class Path : std::uint8_t { codes, words, turned_words, awq };

  Path path_ = Path::codes;
  bool ok_ = true;
  Scratch words_;                          ///< [words of kDepth codes, 32], turned
  Scratch scales_;                         ///< [G, 32]
  std::unique_ptr<std::int32_t[]> zeros_;  ///< [G, 32], with the code offset
};

/// The CPU backend: serial loops of a Level, run in parallel over outputs of fixed shape.
class CpuOps final : public Ops {
 public:
  CpuOps(ThreadPool& pool, const Level& level);

  [[nodiscard]] std::string_view name() const override { return name_; }

  [[nodiscard]] Result<Buffer> allocate(std::int64_t floats) override;
  [[nodiscard]] Result<void> write(const Rows& to, std::span<const float> from) override;
  [[nodiscard]] Result<void> read(const Rows& from, std::span<float> to) override;
  [[nodiscard]] Result<std::unique_ptr<Matrix>> matrix(const MatrixView& view) override;
  [[nodiscard]] Result<void> gemm(const GemmArgs& args) override;
  [[nodiscard]] Result<void> rms_norm(const NormArgs& args) override;
  [[nodiscard]] Result<void> rope(const RopeArgs& args) override;
  [[nodiscard]] Result<void> attention(const AttentionArgs& args) override;
  [[nodiscard]] Result<void> sigmoid_gate(const GateArgs& args) override;
  [[nodiscard]] Result<void> conv(const ConvArgs& args) override;
  [[nodiscard]] Result<void> silu(const Rows& x, Rounding rounding) override;
  [[nodiscard]] Result<void> delta_rule(const DeltaRuleArgs& args) override;
  [[nodiscard]] Result<void> gated_norm(const GatedNormArgs& args) override;
  [[nodiscard]] Result<void> route(const RouteArgs& args) override;
  [[nodiscard]] Result<void> silu_mul(const Rows& gate, const Rows& up, Rounding r) override;
  [[nodiscard]] Result<void> fill(const Rows& x, float value) override;
  [[nodiscard]] Result<void> gather(const Rows& from, std::span<const std::int64_t> index,
                                    const Rows& to) override;
  [[nodiscard]] Result<void> scatter_add(const Rows& from, std::span<const float> weight,
                                         std::span<const std::int64_t> index, const Rows& to,
                                         Rounding rounding) override;
  [[nodiscard]] Result<void> add(const Rows& x, const Rows& y, Rounding rounding) override;
  [[nodiscard]] Result<void> subtract(const Rows& x, const Rows& y) override;
  [[nodiscard]] Result<void> moe_combine(const MoeCombineArgs& args) override;
  [[nodiscard]] Result<void> row_squares(const Rows& x, const Rows& y,
                                         std::span<double> out) override;
  [[nodiscard]] Result<Range> probe(const Rows& x) override;
  [[nodiscard]] Result<void> divergence(const DivergenceArgs& args) override;
  [[nodiscard]] Result<void> layer_norm(const LayerNormArgs& args) override;
  [[nodiscard]] Result<void> gelu(const Rows& x, Gelu kind, Rounding rounding) override;
  [[nodiscard]] Result<void> add_bias(const Rows& x, std::span<const float> bias,
                                      Rounding rounding) override;
  [[nodiscard]] Result<void> full_attention(const AttentionArgs& args) override;

 private:
  [[nodiscard]] Result<void> attend(const AttentionArgs& args, bool causal);

  /// Calls `body(begin, end)` for blocks of rows, in parallel.
  void over_rows(std::int64_t rows, std::int64_t row_floats,
                 const std::function<void(std::int64_t, std::int64_t)>& body);

  ThreadPool& pool_;
  const Level& level_;
  const Bf16Kernels* bf16_;  ///< null: BF16 products go through f32
  std::string name_;
};

/// A failed precondition of an op.
[[nodiscard]] tl::unexpected<Error> no_memory(std::string_view op, std::int64_t floats);

}  // namespace ckpt::kernels::cpu
