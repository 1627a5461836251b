#include "validator/forward/variant_layer.h"

#include <algorithm>

namespace ckpt::forward {

using arch::ModuleClass;
using kernels::Rows;

namespace {

constexpr MlpPoints kPoints{Point::shared_gate, Point::shared_up, Point::shared_product,
                            Point::mlp_out};

template <class Weights>
const Weights& side(const Variant& v, int layer, ModuleClass cls, const Weights& reference,
                    const Weights& candidate) {
  return v.source(layer, cls) == Stream::reference ? reference : candidate;
}

}  // namespace

Result<void> run_norm(const Context& ctx, std::span<const float> weight, const Rows& x,
                      const Rows& y) {
  return ctx.ops.rms_norm({.x = as_heads(x),
                           .y = as_heads(y),
                           .weight = weight,
                           .eps = static_cast<float>(ctx.config.rms_norm_eps),
                           .rounding = ctx.rounding});
}

Result<void> mix_variants(const Context& ctx, VariantStates& states, int layer,
                          config::LayerType type, const MixerWeights& reference,
                          const MixerWeights& candidate, std::span<const std::int64_t> starts,
                          std::int64_t row, std::int64_t count) {
  const ModuleClass cls = type == config::LayerType::full_attention ? ModuleClass::full_attention
                                                                    : ModuleClass::linear_attention;
  for (std::size_t v = 0; v < states.size(); ++v) {
    if (!states.alive(v)) continue;
    CKPT_TRY_VOID(ctx.check_stop(), "variants");
    const WorkspaceScope scope(ctx.workspace);
    const Rows x = states.x(v).slice(row, count);
    CKPT_TRY(const Rows o, ctx.workspace.take(count, x.cols), "variants");
    const MixerWeights& w = side(states.variant(v), layer, cls, reference, candidate);
    CKPT_TRY_VOID(run_mixer(ctx, w, x, starts, {}, o), "variants");
    CKPT_TRY_VOID(ctx.ops.add(x, o, ctx.rounding), "variants");
  }
  return {};
}

Result<void> dense_variants(const Context& ctx, VariantStates& states, int layer,
                            const MlpWeights& reference, const MlpWeights& candidate,
                            const NormPair& norm, std::int64_t block) {
  for (std::size_t v = 0; v < states.size(); ++v) {
    if (!states.alive(v)) continue;
    const Variant& variant = states.variant(v);
    const Rows& all = states.x(v);
    for (std::int64_t row = 0; row < all.rows; row += block) {
      CKPT_TRY_VOID(ctx.check_stop(), "variants");
      const WorkspaceScope scope(ctx.workspace);
      const Rows x = all.slice(row, std::min(block, all.rows - row));
      CKPT_TRY(const Rows in, ctx.workspace.take(x.rows, x.cols), "variants");
      CKPT_TRY(const Rows y, ctx.workspace.take(x.rows, x.cols), "variants");
      CKPT_TRY_VOID(run_norm(ctx, norm.of(variant.source(layer, ModuleClass::norm)), x, in),
                    "variants");
      const MlpWeights& w = side(variant, layer, ModuleClass::dense_mlp, reference, candidate);
      CKPT_TRY_VOID(run_mlp(ctx, w, in, kPoints, {}, y), "variants");
      CKPT_TRY_VOID(ctx.ops.add(x, y, ctx.rounding), "variants");
    }
  }
  return {};
}

Result<void> VariantMoe::route(const Linear& reference, const Linear& candidate) {
  routing_.assign(states_.size(), {});
  const auto k = static_cast<std::size_t>(ctx_.config.num_experts_per_tok);
  for (std::size_t v = 0; v < states_.size(); ++v) {
    if (!states_.alive(v)) continue;
    const Rows& x = states_.x(v);
    const Variant& variant = states_.variant(v);
    const Linear& router = side(variant, layer_, ModuleClass::router, reference, candidate);
    Routing& r = routing_[v];
    r.resize(static_cast<std::size_t>(x.rows), k);
    for (std::int64_t row = 0; row < x.rows; row += block_) {
      const WorkspaceScope scope(ctx_.workspace);
      const Rows rows = x.slice(row, std::min(block_, x.rows - row));
      CKPT_TRY(const Rows in, ctx_.workspace.take(rows.rows, rows.cols), "variants");
      CKPT_TRY_VOID(run_norm(ctx_, norm_.of(variant.source(layer_, ModuleClass::norm)), rows, in),
                    "variants");
      CKPT_TRY_VOID(route_rows(ctx_, router, in, row, r, {}), "variants");
    }
    r.sort_by_expert(static_cast<std::size_t>(ctx_.config.num_experts), k);
    CKPT_TRY_VOID(ctx_.ops.fill(states_.y(v), 0), "variants");
  }
  return {};
}

Result<void> VariantMoe::run_batch(const MlpWeights& weights, std::span<const Segment> segments,
                                   std::int64_t rows) {
  CKPT_TRY_VOID(ctx_.check_stop(), "variants");
  const WorkspaceScope scope(ctx_.workspace);
  CKPT_TRY(const Rows x, ctx_.workspace.take(rows, ctx_.config.hidden_size), "variants");
  CKPT_TRY(const Rows y, ctx_.workspace.take(rows, ctx_.config.hidden_size), "variants");
  std::int64_t at = 0;
  for (const Segment& s : segments) {
    const Rows part = x.slice(at, s.tokens.rows());
    const Stream norm = states_.variant(s.variant).source(layer_, ModuleClass::norm);
    CKPT_TRY_VOID(ctx_.ops.gather(states_.x(s.variant), s.tokens.token, part), "variants");
    CKPT_TRY_VOID(run_norm(ctx_, norm_.of(norm), part, part), "variants");
    at += part.rows;
  }
  CKPT_TRY_VOID(run_mlp(ctx_, weights, x, kExpertPoints, {}, y), "variants");
  at = 0;
  for (const Segment& s : segments) {
    const Rows part = y.slice(at, s.tokens.rows());
    CKPT_TRY_VOID(ctx_.ops.scatter_add(part, s.tokens.gate, s.tokens.token, states_.y(s.variant),
                                       ctx_.rounding),
                  "variants");
    at += part.rows;
  }
  return {};
}

Result<void> VariantMoe::expert(std::size_t e, const MlpWeights& reference,
                                const MlpWeights& candidate) {
  for (const Stream stream : {Stream::reference, Stream::candidate}) {
    const MlpWeights& weights = stream == Stream::reference ? reference : candidate;
    std::vector<Segment> batch;
    std::int64_t rows = 0;
    for (std::size_t v = 0; v < states_.size(); ++v) {
      const Variant& variant = states_.variant(v);
      if (!states_.alive(v) ||
          variant.source(layer_, ModuleClass::routed_expert, static_cast<int>(e)) != stream) {
        continue;
      }
      for (std::size_t first = 0;;) {
        const auto room = static_cast<std::size_t>(block_ - rows);
        const Stretch tokens = routing_[v].stretch(e, first, room);
        if (tokens.token.empty()) break;
        batch.push_back({v, tokens});
        rows += tokens.rows();
        first += tokens.token.size();
        if (rows < block_) continue;
        CKPT_TRY_VOID(run_batch(weights, batch, rows), "variants");
        batch.clear();
        rows = 0;
      }
    }
    if (rows == 0) continue;
    CKPT_TRY_VOID(run_batch(weights, batch, rows), "variants");
  }
  return {};
}

Result<void> VariantMoe::finish(const MoeWeights& reference, const MoeWeights& candidate) {
  for (std::size_t v = 0; v < states_.size(); ++v) {
    if (!states_.alive(v)) continue;
    const Variant& variant = states_.variant(v);
    const MoeWeights& w = side(variant, layer_, ModuleClass::shared_expert, reference, candidate);
    const Rows& all = states_.x(v);
    for (std::int64_t row = 0; row < all.rows; row += block_) {
      CKPT_TRY_VOID(ctx_.check_stop(), "variants");
      const WorkspaceScope scope(ctx_.workspace);
      const Rows x = all.slice(row, std::min(block_, all.rows - row));
      const Rows y = states_.y(v).slice(row, x.rows);
      CKPT_TRY(const Rows in, ctx_.workspace.take(x.rows, x.cols), "variants");
      CKPT_TRY_VOID(run_norm(ctx_, norm_.of(variant.source(layer_, ModuleClass::norm)), x, in),
                    "variants");
      CKPT_TRY(const SharedOutput shared, run_shared(ctx_, w, in, {}), "variants");
      CKPT_TRY_VOID(combine_shared(ctx_, shared, y, {}), "variants");
      CKPT_TRY_VOID(ctx_.ops.add(x, y, ctx_.rounding), "variants");
    }
  }
  return {};
}

}  // namespace ckpt::forward
