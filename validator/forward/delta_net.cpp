// Gated delta net (architecture 3.5).

#include "validator/forward/mixer.h"

namespace ckpt::forward {

using kernels::Heads;
using kernels::Rows;

namespace {

// Projections and convolution: conv [T, C] after silu, z, b, a.
struct Inputs {
  Rows n, qkv, conv, z, b, a;
};

Result<Inputs> take_inputs(const Context& ctx, const DeltaNetWeights& w, const Rows& x) {
  Inputs in;
  CKPT_TRY(in.n, ctx.workspace.take(x.rows, x.cols), "delta net");
  CKPT_TRY(in.qkv, ctx.workspace.take(x.rows, w.in_proj_qkv.matrix->n()), "delta net");
  CKPT_TRY(in.conv, ctx.workspace.take(x.rows, w.in_proj_qkv.matrix->n()), "delta net");
  CKPT_TRY(in.z, ctx.workspace.take(x.rows, w.in_proj_z.matrix->n()), "delta net");
  CKPT_TRY(in.b, ctx.workspace.take(x.rows, w.in_proj_b.matrix->n()), "delta net");
  CKPT_TRY(in.a, ctx.workspace.take(x.rows, w.in_proj_a.matrix->n()), "delta net");
  return in;
}

Result<void> project(const Context& ctx, const DeltaNetWeights& w, const Rows& x,
                     std::span<const std::int64_t> starts, const TapSource& tap, const Inputs& in) {
  kernels::Ops& ops = ctx.ops;
  CKPT_TRY_VOID(ops.rms_norm({.x = as_heads(x),
                              .y = as_heads(in.n),
                              .weight = w.input_norm,
                              .eps = static_cast<float>(ctx.config.rms_norm_eps),
                              .rounding = ctx.rounding}),
                "input norm");
  CKPT_TRY_VOID(tap.see(ops, Point::input_norm, in.n), "tap");
  const kernels::GemmPart parts[] = {{w.in_proj_qkv.matrix.get(), in.qkv},
                                     {w.in_proj_z.matrix.get(), in.z},
                                     {w.in_proj_b.matrix.get(), in.b},
                                     {w.in_proj_a.matrix.get(), in.a}};
  CKPT_TRY_VOID(ops.gemm({in.n, parts, ctx.rounding, ctx.bf16()}), "projections");
  CKPT_TRY_VOID(tap.see(ops, Point::gdn_qkv, in.qkv), "tap");
  CKPT_TRY_VOID(tap.see(ops, Point::gdn_z, in.z), "tap");
  CKPT_TRY_VOID(tap.see(ops, Point::gdn_b, in.b), "tap");
  CKPT_TRY_VOID(tap.see(ops, Point::gdn_a, in.a), "tap");
  CKPT_TRY_VOID(ops.conv({in.qkv, in.conv, w.conv, starts, ctx.rounding}), "conv");
  CKPT_TRY_VOID(tap.see(ops, Point::gdn_conv, in.conv), "tap");
  CKPT_TRY_VOID(ops.silu(in.conv, ctx.rounding), "silu");
  return tap.see(ops, Point::gdn_silu, in.conv);
}

}  // namespace

Result<void> run_delta_net(const Context& ctx, const DeltaNetWeights& w, const Rows& x,
                           std::span<const std::int64_t> starts, const TapSource& tap,
                           const Rows& out) {
  const config::TextConfig& c = ctx.config;
  kernels::Ops& ops = ctx.ops;
  const WorkspaceScope scope(ctx.workspace);
  CKPT_TRY(const Inputs in, take_inputs(ctx, w, x), "delta net");
  CKPT_TRY_VOID(project(ctx, w, x, starts, tap, in), "delta net");

  const std::int64_t nk = c.linear_num_key_heads;
  const std::int64_t nv = c.linear_num_value_heads;
  const std::int64_t dk = c.linear_key_head_dim;
  const std::int64_t dv = c.linear_value_head_dim;
  const std::int64_t stride = in.conv.stride;
  // qkv before the convolution is not needed any more: its memory takes o, [T, nv dv].
  const Rows o{in.qkv.data, x.rows, c.value_dim(), c.value_dim()};
  const Heads output{o.data, o.rows, nv, dv, o.stride, dv};
  CKPT_TRY_VOID(ops.delta_rule({.q = {in.conv.data, x.rows, nk, dk, stride, dk},
                                .k = {in.conv.data + c.key_dim(), x.rows, nk, dk, stride, dk},
                                .v = {in.conv.data + 2 * c.key_dim(), x.rows, nv, dv, stride, dv},
                                .b = in.b,
                                .a = in.a,
                                .a_log = w.a_log,
                                .dt_bias = w.dt_bias,
                                .o = output,
                                .starts = starts,
                                .rounding = ctx.rounding}),
                "delta rule");
  CKPT_TRY_VOID(tap.see(ops, Point::gdn_o, o), "tap");
  CKPT_TRY_VOID(ops.gated_norm({output,
                                {in.z.data, x.rows, nv, dv, in.z.stride, dv},
                                w.norm,
                                static_cast<float>(c.rms_norm_eps),
                                ctx.rounding}),
                "gated norm");
  CKPT_TRY_VOID(tap.see(ops, Point::gdn_gated, o), "tap");
  const kernels::GemmPart back{w.out_proj.matrix.get(), out};
  CKPT_TRY_VOID(ops.gemm({o, {&back, 1}, ctx.rounding, ctx.bf16()}), "out_proj");
  return tap.see(ops, Point::gdn_out, out);
}

}  // namespace ckpt::forward
