#pragma once
// A device's ops behind views of host memory, so that one table of op tests serves every backend:
// each call copies its inputs to the device, with gaps between the rows, and its outputs back.

#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

#include "kernels/ops.h"

namespace ckpt::kernels::test {

class HostedOps final : public Ops {
 public:
  explicit HostedOps(std::unique_ptr<Ops> device) : device_(std::move(device)) {}

  std::string_view name() const override { return device_->name(); }

  Result<void> enter() override { return device_->enter(); }

  Result<Buffer> allocate(std::int64_t floats) override {
    return Buffer(new float[static_cast<std::size_t>(floats)], floats,
                  [](float* p) { delete[] p; });
  }

  Result<void> write(const Rows& to, std::span<const float> from) override {
    for (std::int64_t r = 0; r < to.rows; ++r) {
      std::copy_n(from.data() + r * to.cols, to.cols, to.data + r * to.stride);
    }
    return {};
  }

  Result<void> read(const Rows& from, std::span<float> to) override {
    for (std::int64_t r = 0; r < from.rows; ++r) {
      std::copy_n(from.data + r * from.stride, from.cols, to.data() + r * from.cols);
    }
    return {};
  }

  Result<std::unique_ptr<Matrix>> matrix(const MatrixView& view) override {
    return device_->matrix(view);
  }

  Result<void> gemm(const GemmArgs& args) override {
    Call call(*this);
    GemmArgs on = args;
    on.x = call.in(args.x);
    std::vector<GemmPart> parts(args.parts.begin(), args.parts.end());
    for (GemmPart& part : parts) part.y = call.out(part.y);
    on.parts = parts;
    return call.finish(device_->gemm(on));
  }

  std::uint64_t group_bytes() const override { return device_->group_bytes(); }

  Result<void> grouped_gemm(const GroupedGemmArgs& args) override {
    Call call(*this);
    GroupedGemmArgs on = args;
    on.x = call.in(args.x);
    std::vector<GemmGroup> groups(args.groups.begin(), args.groups.end());
    for (GemmGroup& g : groups) g.y = call.out(g.y);
    on.groups = groups;
    return call.finish(device_->grouped_gemm(on));
  }

  Result<void> rms_norm(const NormArgs& args) override {
    Call call(*this);
    NormArgs on = args;
    on.x = call.in(args.x);
    on.y = call.out(args.y);
    return call.finish(device_->rms_norm(on));
  }

  Result<void> rope(const RopeArgs& args) override {
    Call call(*this);
    RopeArgs on = args;
    on.x = call.both(args.x);
    on.cos = call.in(args.cos);
    on.sin = call.in(args.sin);
    return call.finish(device_->rope(on));
  }

  Result<void> attention(const AttentionArgs& args) override {
    Call call(*this);
    AttentionArgs on = args;
    on.q = call.in(args.q);
    on.k = call.in(args.k);
    on.v = call.in(args.v);
    on.o = call.out(args.o);
    return call.finish(device_->attention(on));
  }

  Result<void> full_attention(const AttentionArgs& args) override {
    Call call(*this);
    AttentionArgs on = args;
    on.q = call.in(args.q);
    on.k = call.in(args.k);
    on.v = call.in(args.v);
    on.o = call.out(args.o);
    return call.finish(device_->full_attention(on));
  }

  Result<void> layer_norm(const LayerNormArgs& args) override {
    Call call(*this);
    LayerNormArgs on = args;
    on.x = call.in(args.x);
    on.y = call.out(args.y);
    return call.finish(device_->layer_norm(on));
  }

  Result<void> gelu(const Rows& x, Gelu kind, Rounding rounding) override {
    Call call(*this);
    return call.finish(device_->gelu(call.both(x), kind, rounding));
  }

  Result<void> add_bias(const Rows& x, std::span<const float> bias, Rounding rounding) override {
    Call call(*this);
    return call.finish(device_->add_bias(call.both(x), bias, rounding));
  }

  Result<void> sigmoid_gate(const GateArgs& args) override {
    Call call(*this);
    GateArgs on = args;
    on.x = call.both(args.x);
    on.gate = call.in(args.gate);
    return call.finish(device_->sigmoid_gate(on));
  }

  Result<void> conv(const ConvArgs& args) override {
    Call call(*this);
    ConvArgs on = args;
    on.x = call.in(args.x);
    on.y = call.out(args.y);
    return call.finish(device_->conv(on));
  }

  Result<void> silu(const Rows& x, Rounding rounding) override {
    Call call(*this);
    return call.finish(device_->silu(call.both(x), rounding));
  }

  Result<void> delta_rule(const DeltaRuleArgs& args) override {
    Call call(*this);
    DeltaRuleArgs on = args;
    on.q = call.in(args.q);
    on.k = call.in(args.k);
    on.v = call.in(args.v);
    on.a = call.in(args.a);
    on.b = call.in(args.b);
    on.o = call.out(args.o);
    return call.finish(device_->delta_rule(on));
  }

  Result<void> gated_norm(const GatedNormArgs& args) override {
    Call call(*this);
    GatedNormArgs on = args;
    on.x = call.both(args.x);
    on.z = call.in(args.z);
    return call.finish(device_->gated_norm(on));
  }

  Result<void> route(const RouteArgs& args) override {
    Call call(*this);
    RouteArgs on = args;
    on.logits = call.in(args.logits);
    return call.finish(device_->route(on));
  }

  Result<void> silu_mul(const Rows& gate, const Rows& up, Rounding rounding) override {
    Call call(*this);
    const Rows on = call.both(gate);
    return call.finish(device_->silu_mul(on, call.in(up), rounding));
  }

  Result<void> fill(const Rows& x, float value) override {
    Call call(*this);
    return call.finish(device_->fill(call.out(x), value));
  }

  Result<void> gather(const Rows& from, std::span<const std::int64_t> index,
                      const Rows& to) override {
    Call call(*this);
    const Rows on = call.in(from);
    return call.finish(device_->gather(on, index, call.out(to)));
  }

  Result<void> scatter_add(const Rows& from, std::span<const float> weight,
                           std::span<const std::int64_t> index, const Rows& to,
                           Rounding rounding) override {
    Call call(*this);
    const Rows on = call.in(from);
    return call.finish(device_->scatter_add(on, weight, index, call.both(to), rounding));
  }

  Result<void> add(const Rows& x, const Rows& y, Rounding rounding) override {
    Call call(*this);
    const Rows on = call.both(x);
    return call.finish(device_->add(on, call.in(y), rounding));
  }

  Result<void> subtract(const Rows& x, const Rows& y) override {
    Call call(*this);
    const Rows on = call.both(x);
    return call.finish(device_->subtract(on, call.in(y)));
  }

  Result<void> moe_combine(const MoeCombineArgs& args) override {
    Call call(*this);
    MoeCombineArgs on = args;
    on.routed = call.both(args.routed);
    on.shared = call.in(args.shared);
    on.shared_gate = call.in(args.shared_gate);
    return call.finish(device_->moe_combine(on));
  }

  Result<void> row_squares(const Rows& x, const Rows& y, std::span<double> out) override {
    Call call(*this);
    const Rows on = call.in(x);
    return device_->row_squares(on, y.data == nullptr ? y : call.in(y), out);
  }

  Result<Range> probe(const Rows& x) override {
    Call call(*this);
    return device_->probe(call.in(x));
  }

  Result<void> divergence(const DivergenceArgs& args) override {
    Call call(*this);
    DivergenceArgs on = args;
    on.reference = call.in(args.reference);
    on.candidate = call.in(args.candidate);
    return device_->divergence(on);
  }

 private:
  /// The device copies of one call.
  class Call {
   public:
    explicit Call(HostedOps& ops) : ops_(*ops.device_) {}

    Heads in(const Heads& host) { return stage(host, true, false); }

    Heads both(const Heads& host) { return stage(host, true, true); }

    Heads out(const Heads& host) { return stage(host, false, true); }

    Rows in(const Rows& host) { return rows_of(in(as_heads(host))); }

    Rows both(const Rows& host) { return rows_of(both(as_heads(host))); }

    Rows out(const Rows& host) { return rows_of(out(as_heads(host))); }

    Result<void> finish(Result<void> done) {
      if (!done) return done;
      for (const auto& [host, copy] : outputs_) {
        std::vector<float> rows(static_cast<std::size_t>(copy.rows * copy.cols));
        CKPT_TRY_VOID(ops_.read(copy, rows), "hosted");
        each(host, [&, next = rows.data()](float* at) mutable {
          std::copy_n(next, host.dim, at);
          next += host.dim;
        });
      }
      return {};
    }

   private:
    static constexpr std::int64_t kGap = 3;  // floats between rows on the device

    static Rows rows_of(const Heads& x) { return {x.data, x.tokens, x.dim, x.token_stride}; }

    template <class Body>
    static void each(const Heads& x, Body body) {
      for (std::int64_t t = 0; t < x.tokens; ++t) {
        for (std::int64_t h = 0; h < x.heads; ++h) {
          body(x.data + t * x.token_stride + h * x.head_stride);
        }
      }
    }

    Heads stage(const Heads& host, bool load, bool store) {
      const std::int64_t count = host.tokens * host.heads;
      const std::int64_t stride = host.dim + kGap;
      auto memory = ops_.allocate(count * stride);
      if (!memory) return {};
      const Rows copy{memory->data(), count, host.dim, stride};
      memory_.push_back(std::move(*memory));
      if (load) {
        std::vector<float> rows;
        each(host, [&](const float* at) { rows.insert(rows.end(), at, at + host.dim); });
        if (!ops_.write(copy, rows)) return {};
      }
      if (store) outputs_.emplace_back(host, copy);
      return {copy.data, host.tokens, host.heads, host.dim, host.heads * stride, stride};
    }

    Ops& ops_;
    std::vector<Buffer> memory_;
    std::vector<std::pair<Heads, Rows>> outputs_;
  };

  std::unique_ptr<Ops> device_;
};

}  // namespace ckpt::kernels::test
