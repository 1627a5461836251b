#pragma once

#include <memory>
#include <string>
#include <vector>

#include "kernels/cuda/kernels.h"
#include "kernels/cuda/runtime.h"
#include "kernels/ops.h"

namespace ckpt::kernels::cuda {

class CudaMatrix;

/// The ops on one device. Calls return when their work is queued; those that hand numbers to the
/// host wait for it. Used from one thread.
class CudaOps final : public Ops {
 public:
  /// At most `memory` bytes of the device, 0 for nearly all that is free. Errors: device, memory.
  [[nodiscard]] static Result<std::unique_ptr<Ops>> open(int index, std::uint64_t memory,
                                                         std::string name);

  CudaOps(std::unique_ptr<Device> device, std::string name)
      : device_(std::move(device)), name_(std::move(name)) {}

  ~CudaOps() override;
  CudaOps(const CudaOps&) = delete;
  CudaOps& operator=(const CudaOps&) = delete;

  std::string_view name() const override { return name_; }

  Result<void> enter() override { return device_->select(); }

  std::uint64_t memory() const override { return device_->budget(); }

  std::uint64_t matrices_ahead() const override;

  Result<Buffer> allocate(std::int64_t floats) override;
  Result<void> write(const Rows& to, std::span<const float> from) override;
  Result<void> read(const Rows& from, std::span<float> to) override;
  Result<std::unique_ptr<Matrix>> matrix(const MatrixView& view) override;
  std::uint64_t group_bytes() const override;
  Result<void> gemm(const GemmArgs& args) override;
  Result<void> grouped_gemm(const GroupedGemmArgs& args) override;
  Result<void> rms_norm(const NormArgs& args) override;
  Result<void> rope(const RopeArgs& args) override;
  Result<void> attention(const AttentionArgs& args) override;
  Result<void> sigmoid_gate(const GateArgs& args) override;
  Result<void> conv(const ConvArgs& args) override;
  Result<void> silu(const Rows& x, Rounding rounding) override;
  Result<void> delta_rule(const DeltaRuleArgs& args) override;
  Result<void> gated_norm(const GatedNormArgs& args) override;
  Result<void> route(const RouteArgs& args) override;
  Result<void> silu_mul(const Rows& gate, const Rows& up, Rounding rounding) override;
  Result<void> fill(const Rows& x, float value) override;
  Result<void> gather(const Rows& from, std::span<const std::int64_t> index,
                      const Rows& to) override;
  Result<void> scatter_add(const Rows& from, std::span<const float> weight,
                           std::span<const std::int64_t> index, const Rows& to,
                           Rounding rounding) override;
  Result<void> add(const Rows& x, const Rows& y, Rounding rounding) override;
  Result<void> subtract(const Rows& x, const Rows& y) override;
  Result<void> moe_combine(const MoeCombineArgs& args) override;
  Result<void> row_squares(const Rows& x, const Rows& y, std::span<double> out) override;
  Result<Range> probe(const Rows& x) override;
  Result<void> divergence(const DivergenceArgs& args) override;
  Result<void> layer_norm(const LayerNormArgs& args) override;
  Result<void> gelu(const Rows& x, Gelu kind, Rounding rounding) override;
  Result<void> add_bias(const Rows& x, std::span<const float> bias, Rounding rounding) override;
  Result<void> full_attention(const AttentionArgs& args) override;

 private:
  /// What depends on where sequences start, on the device; kept while the starts stay the same.
  struct Sequences {
    std::vector<std::int64_t> starts;
    Block on_device;  // i64 [sequences + 1]
    Block positions;  // i32 [T]
    Block tiles;      // QueryTile [count]
    std::int64_t tile_count = 0;
  };

  [[nodiscard]] Result<const Sequences*> sequences(std::span<const std::int64_t> starts,
                                                   std::int64_t rows, std::string_view op);

  /// Activations as terms, and which rows are not finite.
  struct SplitRows {
    Block memory;
    Block flags;
    Terms terms;
  };

  [[nodiscard]] Result<SplitRows> split_rows(const Rows& x, bool is_bf16);
  [[nodiscard]] Result<void> multiply_many(const SplitRows& x, std::span<const Product> products,
                                           Rounding rounding);
  [[nodiscard]] Result<void> attend(const AttentionArgs& args, bool causal, std::string_view op);
  template <class T>
  [[nodiscard]] Result<void> fetch(const Block& from, std::span<T> to);

  std::unique_ptr<Device> device_;
  std::string name_;
  Sequences sequences_;
};

}  // namespace ckpt::kernels::cuda
