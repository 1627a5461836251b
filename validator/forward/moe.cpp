// Mixture of experts (architecture 3.6), streamed expert by expert: an expert sees all tokens of
// the pass that were sent to it, in ascending order, and its outputs are added in expert order.

#include <fmt/format.h>

#include <algorithm>

#include "validator/forward/variant_layer.h"

namespace ckpt::forward {

using kernels::Rounding;
using kernels::Rows;

namespace {

constexpr std::string_view kMoe[] = {"mlp.gate", "mlp.shared_expert.gate_proj",
                                     "mlp.shared_expert.up_proj", "mlp.shared_expert.down_proj",
                                     "mlp.shared_expert_gate"};
constexpr MlpPoints kSharedPoints{Point::shared_gate, Point::shared_up, Point::shared_product,
                                  Point::shared_out};

class Moe {
 public:
  Moe(const Context& ctx, WeightFeed& feed, const MlpStage& stage, const Hidden& hidden)
      : ctx_(ctx), ops_(ctx.ops), feed_(feed), stage_(stage), h_(hidden) {}

  Result<void> run();

 private:
  Result<void> route_all();
  Result<void> clear_outputs();
  Result<void> wake_variants();
  Result<void> expert(std::size_t e);
  Result<void> expert_block(const MlpWeights& reference, const MlpWeights& candidate,
                            const Stretch& r, const Stretch& c);
  Result<void> local_difference(const Rows& y_local, const Rows& y, const Stretch& r);
  Result<void> shared();
  Result<void> shared_block(std::int64_t row, std::int64_t count);

  const Context& ctx_;
  kernels::Ops& ops_;
  WeightFeed& feed_;
  const MlpStage& stage_;
  const Hidden& h_;
  MoeWeights reference_;
  MoeWeights candidate_;
  bool same_shared_ = false;
  Routing of_reference_;
  Routing of_local_;
  Routing of_candidate_;
  bool same_expert_ = false;
  std::optional<VariantMoe> variants_;
  std::vector<double> output_;  // of the expert at hand, per routed token
  std::vector<double> difference_;
};

Result<void> Moe::route_all() {
  const auto tokens = static_cast<std::size_t>(h_.in_reference.rows);
  const auto k = static_cast<std::size_t>(ctx_.config.num_experts_per_tok);
  const auto experts = static_cast<std::size_t>(ctx_.config.num_experts);
  for (Routing* r : {&of_reference_, &of_local_, &of_candidate_}) r->resize(tokens, k);
  for (std::int64_t row = 0; row < h_.in_reference.rows; row += stage_.block) {
    const std::int64_t count = std::min(stage_.block, h_.in_reference.rows - row);
    const Rows x = h_.in_reference.slice(row, count);
    CKPT_TRY_VOID(route_rows(ctx_, reference_.router, x, row, of_reference_,
                             stage_.tap(Stream::reference, row)),
                  "reference");
    CKPT_TRY_VOID(route_rows(ctx_, candidate_.router, x, row, of_local_, {}), "local");
    CKPT_TRY_VOID(route_rows(ctx_, candidate_.router, h_.in_candidate.slice(row, count), row,
                             of_candidate_, stage_.tap(Stream::candidate, row)),
                  "candidate");
  }
  of_reference_.sort_by_expert(experts, k);
  of_candidate_.sort_by_expert(experts, k);
  stage_.observer->on_routing(
      stage_.layer,
      {ctx_.config.num_experts_per_tok, of_reference_.ids, of_local_.ids, of_candidate_.ids,
       of_reference_.weights, of_candidate_.weights, of_reference_.margins});
  return {};
}

Result<void> Moe::clear_outputs() {
  for (const Rows& y : {h_.y_reference, h_.y_candidate}) {
    CKPT_TRY_VOID(ops_.fill(y, 0), "experts");
  }
  return {};
}

// y_local holds the candidate's output on the reference's inputs, y the reference's.
Result<void> Moe::local_difference(const Rows& y_local, const Rows& y, const Stretch& r) {
  if (!ctx_.local) return {};
  const auto rows = static_cast<std::size_t>(r.rows());
  const std::size_t first = difference_.size();
  difference_.resize(first + rows, 0);
  if (same_expert_) return {};
  CKPT_TRY_VOID(ops_.row_squares(y_local, y, std::span(difference_).subspan(first)), "local");
  CKPT_TRY_VOID(ops_.subtract(y_local, y), "local");
  return ops_.scatter_add(y_local, r.gate, r.token, h_.local, Rounding::none);
}

Result<void> Moe::expert_block(const MlpWeights& reference, const MlpWeights& candidate,
                               const Stretch& r, const Stretch& c) {
  const WorkspaceScope scope(ctx_.workspace);
  const std::int64_t hidden = ctx_.config.hidden_size;
  // The candidate sees both sets of inputs in one product; equal weights need no local evaluation.
  const std::int64_t local = same_expert_ || !ctx_.local ? 0 : r.rows();
  CKPT_TRY(const Rows x, ctx_.workspace.take(r.rows() + c.rows(), hidden), "expert");
  CKPT_TRY(const Rows y, ctx_.workspace.take(r.rows() + c.rows(), hidden), "expert");
  CKPT_TRY(const Rows y_reference, ctx_.workspace.take(r.rows(), hidden), "expert");
  CKPT_TRY_VOID(ops_.gather(h_.in_reference, r.token, x.slice(0, r.rows())), "expert");
  CKPT_TRY_VOID(ops_.gather(h_.in_candidate, c.token, x.slice(r.rows(), c.rows())), "expert");
  TapSource tap = stage_.tap(Stream::reference, 0);
  tap.row_token = r.token;
  CKPT_TRY_VOID(run_mlp(ctx_, reference, x.slice(0, r.rows()), kExpertPoints, tap, y_reference),
                "reference");
  tap = stage_.tap(Stream::candidate, 0);
  tap.row_token = c.token;
  tap.skip_rows = local;
  const std::int64_t begin = r.rows() - local;
  CKPT_TRY_VOID(run_mlp(ctx_, candidate, x.slice(begin, local + c.rows()), kExpertPoints, tap,
                        y.slice(begin, local + c.rows())),
                "candidate");

  const std::size_t first = output_.size();
  output_.resize(first + static_cast<std::size_t>(r.rows()));
  CKPT_TRY_VOID(ops_.row_squares(y_reference, {}, std::span(output_).subspan(first)), "expert");
  CKPT_TRY_VOID(ops_.scatter_add(y_reference, r.gate, r.token, h_.y_reference, ctx_.rounding),
                "reference");
  CKPT_TRY_VOID(
      ops_.scatter_add(y.slice(r.rows(), c.rows()), c.gate, c.token, h_.y_candidate, ctx_.rounding),
      "candidate");
  return local_difference(y.slice(0, r.rows()), y_reference, r);
}

Result<void> Moe::expert(std::size_t e) {
  CKPT_TRY(const MlpWeights reference, load_mlp(feed_), "reference");
  CKPT_TRY(const MlpWeights candidate, load_mlp(feed_), "candidate");
  same_expert_ = same_weights(reference, candidate);
  output_.clear();
  difference_.clear();
  const auto step = static_cast<std::size_t>(stage_.block);
  for (std::size_t first = 0;; first += step) {
    CKPT_TRY_VOID(ctx_.check_stop(), "expert");
    const Stretch r = of_reference_.stretch(e, first, step);
    const Stretch c = of_candidate_.stretch(e, first, step);
    if (r.token.empty() && c.token.empty()) break;
    CKPT_TRY_VOID(expert_block(reference, candidate, r, c), "expert");
  }
  if (variants_) {
    CKPT_TRY_VOID(variants_->expert(e, reference, same_expert_ ? reference : candidate), "expert");
  }
  const Stretch all = of_reference_.stretch(e, 0, of_reference_.token.size());
  stage_.observer->on_expert(stage_.layer, static_cast<int>(e),
                             {all.token, all.gate, output_, difference_});
  return {};
}

Result<void> Moe::shared_block(std::int64_t row, std::int64_t count) {
  const WorkspaceScope scope(ctx_.workspace);
  const Rows x = h_.in_reference.slice(row, count);
  const TapSource tap_r = stage_.tap(Stream::reference, row);
  const TapSource tap_c = stage_.tap(Stream::candidate, row);
  CKPT_TRY(const SharedOutput r, run_shared(ctx_, reference_, x, tap_r), "reference");
  CKPT_TRY(const SharedOutput c,
           run_shared(ctx_, candidate_, h_.in_candidate.slice(row, count), tap_c), "candidate");
  CKPT_TRY_VOID(combine_shared(ctx_, r, h_.y_reference.slice(row, count), tap_r), "reference");
  CKPT_TRY_VOID(combine_shared(ctx_, c, h_.y_candidate.slice(row, count), tap_c), "candidate");
  if (same_shared_ || !ctx_.local) return {};
  CKPT_TRY(const SharedOutput local, run_shared(ctx_, candidate_, x, {}), "local");
  CKPT_TRY(const Rows ours, ctx_.workspace.take(count, x.cols), "local");
  CKPT_TRY(const Rows theirs, ctx_.workspace.take(count, x.cols), "local");
  CKPT_TRY_VOID(ops_.fill(ours, 0), "local");
  CKPT_TRY_VOID(ops_.fill(theirs, 0), "local");
  CKPT_TRY_VOID(combine_shared(ctx_, r, ours, {}), "local");
  CKPT_TRY_VOID(combine_shared(ctx_, local, theirs, {}), "local");
  CKPT_TRY_VOID(ops_.subtract(theirs, ours), "local");
  return ops_.add(h_.local.slice(row, count), theirs, Rounding::none);
}

Result<void> Moe::shared() {
  for (std::int64_t row = 0; row < h_.in_reference.rows; row += stage_.block) {
    CKPT_TRY_VOID(ctx_.check_stop(), "shared expert");
    CKPT_TRY_VOID(shared_block(row, std::min(stage_.block, h_.in_reference.rows - row)),
                  "shared expert");
  }
  return {};
}

// Variants whose path leaves that of a main stream in this half of the layer come to life.
Result<void> Moe::wake_variants() {
  VariantStates& states = *stage_.variants;
  const auto wake = [&](arch::ModuleClass cls) {
    return states.wake(stage_.layer, cls, h_.x_reference, h_.x_candidate);
  };
  const bool same_norm = stage_.norm->reference == stage_.norm->candidate;
  if (!same_norm) CKPT_TRY_VOID(wake(arch::ModuleClass::norm), "variants");
  if (!weights::same_bytes(reference_.router.parameter, candidate_.router.parameter)) {
    CKPT_TRY_VOID(wake(arch::ModuleClass::router), "variants");
  }
  if (!same_shared_) CKPT_TRY_VOID(wake(arch::ModuleClass::shared_expert), "variants");
  CKPT_TRY_VOID(wake(arch::ModuleClass::routed_expert), "variants");
  variants_.emplace(ctx_, states, stage_.layer, *stage_.norm, stage_.block);
  return variants_->route(reference_.router, candidate_.router);
}

Result<void> Moe::run() {
  CKPT_TRY(reference_, load_moe(feed_), "reference");
  CKPT_TRY(candidate_, load_moe(feed_), "candidate");
  same_shared_ =
      same_weights(reference_.shared, candidate_.shared) &&
      weights::same_bytes(reference_.shared_gate.parameter, candidate_.shared_gate.parameter);
  CKPT_TRY_VOID(route_all(), "router");
  CKPT_TRY_VOID(clear_outputs(), "experts");
  if (stage_.variants != nullptr) CKPT_TRY_VOID(wake_variants(), "variants");
  for (std::size_t e = 0; e < static_cast<std::size_t>(ctx_.config.num_experts); ++e) {
    CKPT_TRY_VOID(expert(e), fmt::format("expert {}", e));
  }
  CKPT_TRY_VOID(shared(), "shared expert");
  if (variants_) CKPT_TRY_VOID(variants_->finish(reference_, candidate_), "variants");
  return {};
}

}  // namespace

Result<MoeWeights> load_moe(WeightFeed& feed) {
  MoeWeights w;
  CKPT_TRY(w.router, feed.next_linear(), "router");
  CKPT_TRY(w.shared, load_mlp(feed), "shared expert");
  CKPT_TRY(w.shared_gate, feed.next_linear(), "shared expert gate");
  return w;
}

Result<void> route_rows(const Context& ctx, const Linear& router, const Rows& x, std::int64_t row,
                        Routing& to, const TapSource& tap) {
  const WorkspaceScope scope(ctx.workspace);
  CKPT_TRY(const Rows logits, ctx.workspace.take(x.rows, ctx.config.num_experts), "router");
  const kernels::GemmPart part{router.matrix.get(), logits};
  const Rounding rounding = ctx.exact_router ? Rounding::none : ctx.rounding;
  CKPT_TRY_VOID(ctx.ops.gemm({x, {&part, 1}, rounding, ctx.bf16()}), "router");
  CKPT_TRY_VOID(tap.see(ctx.ops, Point::router, logits), "tap");
  const auto k = static_cast<std::size_t>(ctx.config.num_experts_per_tok);
  const auto first = static_cast<std::size_t>(row);
  const auto count = static_cast<std::size_t>(x.rows);
  return ctx.ops.route({logits, ctx.config.num_experts_per_tok,
                        std::span(to.ids).subspan(first * k, count * k),
                        std::span(to.weights).subspan(first * k, count * k),
                        std::span(to.margins).subspan(first, count), ctx.rounding});
}

Result<SharedOutput> run_shared(const Context& ctx, const MoeWeights& w, const Rows& x,
                                const TapSource& tap) {
  SharedOutput out;
  CKPT_TRY(out.y, ctx.workspace.take(x.rows, x.cols), "shared expert");
  CKPT_TRY(out.gate, ctx.workspace.take(x.rows, 1), "shared expert");
  const kernels::GemmPart part{w.shared_gate.matrix.get(), out.gate};
  CKPT_TRY_VOID(ctx.ops.gemm({x, {&part, 1}, ctx.rounding, ctx.bf16()}), "shared expert gate");
  CKPT_TRY_VOID(run_mlp(ctx, w.shared, x, kSharedPoints, tap, out.y), "shared expert");
  return out;
}

Result<void> combine_shared(const Context& ctx, const SharedOutput& shared, const Rows& routed,
                            const TapSource& tap) {
  CKPT_TRY_VOID(ctx.ops.moe_combine({routed, shared.y, shared.gate, ctx.rounding}), "combine");
  return tap.see(ctx.ops, Point::mlp_out, routed);
}

std::span<const std::string_view> moe_modules() {
  return kMoe;
}

Result<void> run_moe(const Context& context, WeightFeed& feed, const MlpStage& stage,
                     const Hidden& hidden) {
  return Moe(context, feed, stage, hidden).run();
}

}  // namespace ckpt::forward
