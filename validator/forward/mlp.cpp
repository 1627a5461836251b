#include "validator/forward/mlp.h"

#include <algorithm>

#include "validator/forward/variant_layer.h"

namespace ckpt::forward {

using kernels::Rows;

namespace {

constexpr std::string_view kDense[] = {"mlp.gate_proj", "mlp.up_proj", "mlp.down_proj"};
constexpr MlpPoints kPoints{Point::shared_gate, Point::shared_up, Point::shared_product,
                            Point::mlp_out};

}  // namespace

Result<MlpWeights> load_mlp(WeightFeed& feed) {
  MlpWeights w;
  CKPT_TRY(w.gate_proj, feed.next_linear(), "mlp");
  CKPT_TRY(w.up_proj, feed.next_linear(), "mlp");
  CKPT_TRY(w.down_proj, feed.next_linear(), "mlp");
  return w;
}

bool same_weights(const MlpWeights& a, const MlpWeights& b) {
  return weights::same_bytes(a.gate_proj.parameter, b.gate_proj.parameter) &&
         weights::same_bytes(a.up_proj.parameter, b.up_proj.parameter) &&
         weights::same_bytes(a.down_proj.parameter, b.down_proj.parameter);
}

namespace {

// Two products of the same rows; for one MLP in one call, which prepares the rows once.
Result<void> gate_and_up(const Context& ctx, std::span<const MlpGroup> groups, const Rows& x,
                         const Rows& gate, const Rows& up) {
  if (groups.size() == 1) {
    const MlpWeights& w = *groups.front().weights;
    const kernels::GemmPart parts[] = {{w.gate_proj.matrix.get(), gate},
                                       {w.up_proj.matrix.get(), up}};
    return ctx.ops.gemm({x, parts, ctx.rounding, ctx.bf16()});
  }
  std::vector<kernels::GemmGroup> products;
  for (const MlpGroup& g : groups) {
    products.push_back({g.weights->gate_proj.matrix.get(), g.first, gate.slice(g.first, g.rows)});
    products.push_back({g.weights->up_proj.matrix.get(), g.first, up.slice(g.first, g.rows)});
  }
  return ctx.ops.grouped_gemm({x, products, ctx.rounding, ctx.bf16()});
}

}  // namespace

Result<void> run_mlps(const Context& ctx, std::span<const MlpGroup> groups, const Rows& x,
                      const MlpPoints& points, const TapSource& tap, const Rows& y) {
  kernels::Ops& ops = ctx.ops;
  const WorkspaceScope scope(ctx.workspace);
  const std::int64_t inner = groups.empty() ? 0 : groups.front().weights->gate_proj.matrix->n();
  CKPT_TRY(const Rows gate, ctx.workspace.take(x.rows, inner), "mlp");
  CKPT_TRY(const Rows up, ctx.workspace.take(x.rows, inner), "mlp");
  CKPT_TRY_VOID(gate_and_up(ctx, groups, x, gate, up), "gate and up");
  CKPT_TRY_VOID(tap.see(ops, points.gate, gate), "tap");
  CKPT_TRY_VOID(tap.see(ops, points.up, up), "tap");
  CKPT_TRY_VOID(ops.silu_mul(gate, up, ctx.rounding), "silu");
  CKPT_TRY_VOID(tap.see(ops, points.product, gate), "tap");
  std::vector<kernels::GemmGroup> back;
  for (const MlpGroup& g : groups) {
    back.push_back({g.weights->down_proj.matrix.get(), g.first, y.slice(g.first, g.rows)});
  }
  CKPT_TRY_VOID(ops.grouped_gemm({gate, back, ctx.rounding, ctx.bf16()}), "down");
  return tap.see(ops, points.out, y);
}

Result<void> run_mlp(const Context& ctx, const MlpWeights& w, const Rows& x,
                     const MlpPoints& points, const TapSource& tap, const Rows& y) {
  const MlpGroup all{&w, 0, x.rows};
  return run_mlps(ctx, {&all, 1}, x, points, tap, y);
}

std::span<const std::string_view> dense_modules() {
  return kDense;
}

Result<void> run_dense(const Context& ctx, WeightFeed& feed, const MlpStage& stage,
                       const Hidden& h) {
  CKPT_TRY(const MlpWeights reference, load_mlp(feed), "reference");
  CKPT_TRY(const MlpWeights candidate, load_mlp(feed), "candidate");
  const bool same = same_weights(reference, candidate);
  for (std::int64_t row = 0; row < h.in_reference.rows; row += stage.block) {
    CKPT_TRY_VOID(ctx.check_stop(), "mlp");
    const std::int64_t count = std::min(stage.block, h.in_reference.rows - row);
    const WorkspaceScope scope(ctx.workspace);
    CKPT_TRY(const Rows y, ctx.workspace.take(count, ctx.config.hidden_size), "mlp");
    const Rows x = h.in_reference.slice(row, count);
    const Rows y_reference = h.y_reference.slice(row, count);
    CKPT_TRY_VOID(
        run_mlp(ctx, reference, x, kPoints, stage.tap(Stream::reference, row), y_reference),
        "reference");
    CKPT_TRY_VOID(run_mlp(ctx, candidate, h.in_candidate.slice(row, count), kPoints,
                          stage.tap(Stream::candidate, row), h.y_candidate.slice(row, count)),
                  "candidate");
    if (same || !ctx.local) continue;
    CKPT_TRY_VOID(run_mlp(ctx, candidate, x, kPoints, {}, y), "local");
    CKPT_TRY_VOID(ctx.ops.subtract(y, y_reference), "local");
    CKPT_TRY_VOID(ctx.ops.add(h.local.slice(row, count), y, kernels::Rounding::none), "local");
  }
  if (stage.variants == nullptr) return {};
  for (const auto& [differs, cls] :
       {std::pair{!same, arch::ModuleClass::dense_mlp},
        {stage.norm->reference != stage.norm->candidate, arch::ModuleClass::norm}}) {
    if (!differs) continue;
    CKPT_TRY_VOID(stage.variants->wake(stage.layer, cls, h.x_reference, h.x_candidate), "variants");
  }
  return dense_variants(ctx, *stage.variants, stage.layer, reference, candidate, *stage.norm,
                        stage.block);
}

std::int64_t mlp_floats(const config::TextConfig& c) {
  const std::int64_t inner =
      c.moe ? std::max(c.moe_intermediate_size, c.shared_expert_intermediate_size)
            : c.intermediate_size;
  // Inputs and outputs of both sides of an expert, and its gate and up, stacked.
  return 5 * c.hidden_size + 4 * inner;
}

}  // namespace ckpt::forward
