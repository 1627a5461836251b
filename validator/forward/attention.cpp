// Gated attention with partial rotary embedding (architecture 3.4).

#include <cmath>

#include "validator/forward/mixer.h"

namespace ckpt::forward {

namespace {

using kernels::Heads;
using kernels::Rows;

// Query or gate part of q_proj's output, [T, nh, D] inside rows of 2 nh D.
Heads query_heads(const config::TextConfig& c, const Rows& q, std::int64_t offset) {
  return {q.data + offset, q.rows, c.num_attention_heads, c.head_dim, q.stride, 2 * c.head_dim};
}

Heads plain_heads(const Rows& x, std::int64_t heads, std::int64_t dim) {
  return {x.data, x.rows, heads, dim, x.stride, dim};
}

Result<void> norm_and_turn(const Context& ctx, const Heads& x, std::span<const float> weight,
                           std::span<const std::int64_t> starts) {
  CKPT_TRY_VOID(ctx.ops.rms_norm({.x = x,
                                  .y = x,
                                  .weight = weight,
                                  .eps = static_cast<float>(ctx.config.rms_norm_eps),
                                  .rounding = ctx.rounding}),
                "norm");
  const std::int64_t all[] = {0, x.tokens};
  const auto turns = ctx.rope.by_token ? std::span<const std::int64_t>(all) : starts;
  return ctx.ops.rope({x, ctx.rope.cos, ctx.rope.sin, turns, ctx.rounding});
}

}  // namespace

Result<void> run_attention(const Context& ctx, const AttentionWeights& w, const Rows& x,
                           std::span<const std::int64_t> starts, const TapSource& tap,
                           const Rows& out) {
  const config::TextConfig& c = ctx.config;
  kernels::Ops& ops = ctx.ops;
  const WorkspaceScope scope(ctx.workspace);
  CKPT_TRY(const Rows n, ctx.workspace.take(x.rows, x.cols), "attention");
  CKPT_TRY(const Rows q, ctx.workspace.take(x.rows, w.q_proj.matrix->n()), "attention");
  CKPT_TRY(const Rows k, ctx.workspace.take(x.rows, w.k_proj.matrix->n()), "attention");
  CKPT_TRY(const Rows v, ctx.workspace.take(x.rows, w.v_proj.matrix->n()), "attention");
  CKPT_TRY(const Rows o, ctx.workspace.take(x.rows, w.o_proj.matrix->k()), "attention");

  CKPT_TRY_VOID(ops.rms_norm({.x = as_heads(x),
                              .y = as_heads(n),
                              .weight = w.input_norm,
                              .eps = static_cast<float>(c.rms_norm_eps),
                              .rounding = ctx.rounding}),
                "input norm");
  CKPT_TRY_VOID(tap.see(ops, Point::input_norm, n), "tap");
  const kernels::GemmPart parts[] = {
      {w.q_proj.matrix.get(), q}, {w.k_proj.matrix.get(), k}, {w.v_proj.matrix.get(), v}};
  CKPT_TRY_VOID(ops.gemm({n, parts, ctx.rounding, ctx.bf16()}), "qkv");
  CKPT_TRY_VOID(tap.see(ops, Point::attn_q, q), "tap");
  CKPT_TRY_VOID(tap.see(ops, Point::attn_k, k), "tap");
  CKPT_TRY_VOID(tap.see(ops, Point::attn_v, v), "tap");

  const Heads query = query_heads(c, q, 0);
  const Heads key = plain_heads(k, c.num_key_value_heads, c.head_dim);
  const Heads output = plain_heads(o, c.num_attention_heads, c.head_dim);
  CKPT_TRY_VOID(norm_and_turn(ctx, query, w.q_norm, starts), "query");
  CKPT_TRY_VOID(norm_and_turn(ctx, key, w.k_norm, starts), "key");
  CKPT_TRY_VOID(tap.see(ops, Point::attn_q_rope, q), "tap");
  CKPT_TRY_VOID(tap.see(ops, Point::attn_k_rope, k), "tap");
  CKPT_TRY_VOID(
      ops.attention({query, key, plain_heads(v, c.num_key_value_heads, c.head_dim), output,
                     1.0F / std::sqrt(static_cast<float>(c.head_dim)), starts, ctx.rounding}),
      "attention");
  CKPT_TRY_VOID(tap.see(ops, Point::attn_o, o), "tap");
  CKPT_TRY_VOID(ops.sigmoid_gate({output, query_heads(c, q, c.head_dim), ctx.rounding}), "gate");
  CKPT_TRY_VOID(tap.see(ops, Point::attn_gated, o), "tap");
  const kernels::GemmPart back{w.o_proj.matrix.get(), out};
  CKPT_TRY_VOID(ops.gemm({o, {&back, 1}, ctx.rounding, ctx.bf16()}), "o_proj");
  return tap.see(ops, Point::attn_out, out);
}

}  // namespace ckpt::forward
