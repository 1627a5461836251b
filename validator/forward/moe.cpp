// Mixture of experts (architecture 3.6), streamed expert by expert, or a few at a time where the
// backend computes several in one launch: an expert sees all tokens of the pass that were sent to
// it, in ascending order, and its outputs are added in expert order.

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

/// An expert of both models.
struct ExpertPair {
  std::size_t index = 0;
  MlpWeights reference;
  MlpWeights candidate;
};

std::uint64_t bytes_of(const MlpWeights& w) {
  return w.gate_proj.parameter.bytes() + w.up_proj.parameter.bytes() +
         w.down_proj.parameter.bytes();
}

/// What experts that follow each other see at a time: all their tokens, or a part of one's.
struct ExpertBlock {
  Stretch r;                    ///< routed by the reference
  Stretch c;                    ///< by the candidate
  std::vector<Stretch> r_each;  ///< the same by expert
  std::vector<Stretch> c_each;
};

class Moe {
 public:
  Moe(const Context& ctx, WeightFeed& feed, const MlpStage& stage, const Hidden& hidden)
      : ctx_(ctx), ops_(ctx.ops), feed_(feed), stage_(stage), h_(hidden) {}

  Result<void> run();

 private:
  Result<void> route_all();
  Result<void> clear_outputs();
  Result<void> wake_variants();
  Result<void> experts();
  Result<void> load_group(std::size_t first);
  bool fits(std::size_t expert) const;
  Result<void> run_group();
  ExpertBlock whole_group() const;
  Result<void> expert_block(const ExpertBlock& block);
  Result<void> run_experts(Stream stream, const ExpertBlock& block, std::int64_t local,
                           const Rows& x, const Rows& y);
  Result<void> scatter(const Rows& from, std::span<const Stretch> each, const Rows& to,
                       Rounding rounding);
  Result<void> local_difference(const Rows& y_local, const Rows& y, const ExpertBlock& block);
  Result<void> report_group();
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
  std::vector<ExpertPair> group_;  // the experts at hand
  bool same_experts_ = false;
  std::optional<VariantMoe> variants_;
  std::vector<double> output_;  // of the experts at hand, per routed token
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

// Each expert's rows are added in turn: tokens are distinct within one expert only.
Result<void> Moe::scatter(const Rows& from, std::span<const Stretch> each, const Rows& to,
                          Rounding rounding) {
  std::int64_t row = 0;
  for (const Stretch& s : each) {
    CKPT_TRY_VOID(ops_.scatter_add(from.slice(row, s.rows()), s.gate, s.token, to, rounding),
                  "experts");
    row += s.rows();
  }
  return {};
}

// y_local holds the candidate's output on the reference's inputs, y the reference's.
Result<void> Moe::local_difference(const Rows& y_local, const Rows& y, const ExpertBlock& block) {
  if (!ctx_.local) return {};
  const std::size_t first = difference_.size();
  difference_.resize(first + static_cast<std::size_t>(block.r.rows()), 0);
  if (same_experts_) return {};
  CKPT_TRY_VOID(ops_.row_squares(y_local, y, std::span(difference_).subspan(first)), "local");
  CKPT_TRY_VOID(ops_.subtract(y_local, y), "local");
  return scatter(y_local, block.r_each, h_.local, Rounding::none);
}

// x holds the rows of the reference's tokens, then those of the candidate's. The candidate's
// experts see the first `local` of the former too, each expert both sets of inputs.
Result<void> Moe::run_experts(Stream stream, const ExpertBlock& block, std::int64_t local,
                              const Rows& x, const Rows& y) {
  const bool of_reference = stream == Stream::reference;
  std::vector<MlpGroup> groups;
  std::int64_t row = 0;
  const auto add = [&](std::span<const Stretch> each) {
    for (std::size_t i = 0; i < each.size(); ++i) {
      const MlpWeights& w = of_reference ? group_[i].reference : group_[i].candidate;
      const bool goes_on = !groups.empty() && groups.back().weights == &w;
      if (goes_on) {
        groups.back().rows += each[i].rows();
      } else {
        groups.push_back({&w, row, each[i].rows()});
      }
      row += each[i].rows();
    }
  };
  if (of_reference || local > 0) add(block.r_each);
  if (!of_reference) add(block.c_each);
  TapSource tap = stage_.tap(stream, 0);
  tap.row_token = of_reference ? block.r.token : block.c.token;
  tap.skip_rows = of_reference ? 0 : local;
  return run_mlps(ctx_, groups, x, kExpertPoints, tap, y);
}

Result<void> Moe::expert_block(const ExpertBlock& block) {
  const WorkspaceScope scope(ctx_.workspace);
  const std::int64_t hidden = ctx_.config.hidden_size;
  const std::int64_t r = block.r.rows();
  const std::int64_t c = block.c.rows();
  // The candidate sees both sets of inputs in one product; equal weights need no local evaluation.
  const std::int64_t local = same_experts_ || !ctx_.local ? 0 : r;
  CKPT_TRY(const Rows x, ctx_.workspace.take(r + c, hidden), "expert");
  CKPT_TRY(const Rows y, ctx_.workspace.take(r + c, hidden), "expert");
  CKPT_TRY(const Rows y_reference, ctx_.workspace.take(r, hidden), "expert");
  CKPT_TRY_VOID(ops_.gather(h_.in_reference, block.r.token, x.slice(0, r)), "expert");
  CKPT_TRY_VOID(ops_.gather(h_.in_candidate, block.c.token, x.slice(r, c)), "expert");
  CKPT_TRY_VOID(run_experts(Stream::reference, block, 0, x.slice(0, r), y_reference), "reference");
  CKPT_TRY_VOID(run_experts(Stream::candidate, block, local, x.slice(r - local, local + c),
                            y.slice(r - local, local + c)),
                "candidate");

  const std::size_t first = output_.size();
  output_.resize(first + static_cast<std::size_t>(r));
  CKPT_TRY_VOID(ops_.row_squares(y_reference, {}, std::span(output_).subspan(first)), "expert");
  CKPT_TRY_VOID(scatter(y_reference, block.r_each, h_.y_reference, ctx_.rounding), "reference");
  CKPT_TRY_VOID(scatter(y.slice(r, c), block.c_each, h_.y_candidate, ctx_.rounding), "candidate");
  return local_difference(y.slice(0, r), y_reference, block);
}

// Whether a block has room for the tokens of one more expert.
bool Moe::fits(std::size_t expert) const {
  const std::size_t first = group_.front().index;
  return of_reference_.tokens_of(first, expert + 1).rows() <= stage_.block &&
         of_candidate_.tokens_of(first, expert + 1).rows() <= stage_.block;
}

// The expert at `first`, and those after it that the backend computes with it.
Result<void> Moe::load_group(std::size_t first) {
  group_.clear();
  same_experts_ = true;
  std::uint64_t bytes = 0;
  for (std::size_t e = first; e < static_cast<std::size_t>(ctx_.config.num_experts); ++e) {
    if (e != first && (bytes >= ops_.group_bytes() || !fits(e))) break;
    ExpertPair pair{.index = e, .reference = {}, .candidate = {}};
    CKPT_TRY(pair.reference, load_mlp(feed_), "reference");
    CKPT_TRY(pair.candidate, load_mlp(feed_), "candidate");
    bytes += bytes_of(pair.reference) + bytes_of(pair.candidate);
    same_experts_ = same_experts_ && same_weights(pair.reference, pair.candidate);
    group_.push_back(std::move(pair));
  }
  return {};
}

ExpertBlock Moe::whole_group() const {
  const std::size_t first = group_.front().index;
  const std::size_t end = group_.back().index + 1;
  ExpertBlock block{
      of_reference_.tokens_of(first, end), of_candidate_.tokens_of(first, end), {}, {}};
  for (std::size_t e = first; e < end; ++e) {
    block.r_each.push_back(of_reference_.tokens_of(e, e + 1));
    block.c_each.push_back(of_candidate_.tokens_of(e, e + 1));
  }
  return block;
}

Result<void> Moe::run_group() {
  output_.clear();
  difference_.clear();
  if (group_.size() > 1) return expert_block(whole_group());
  const std::size_t e = group_.front().index;
  const auto step = static_cast<std::size_t>(stage_.block);
  for (std::size_t first = 0;; first += step) {
    CKPT_TRY_VOID(ctx_.check_stop(), "expert");
    const Stretch r = of_reference_.stretch(e, first, step);
    const Stretch c = of_candidate_.stretch(e, first, step);
    if (r.token.empty() && c.token.empty()) return {};
    CKPT_TRY_VOID(expert_block({r, c, {r}, {c}}), "expert");
  }
}

Result<void> Moe::report_group() {
  std::size_t at = 0;
  for (const ExpertPair& pair : group_) {
    if (variants_) {
      const bool same = same_weights(pair.reference, pair.candidate);
      CKPT_TRY_VOID(
          variants_->expert(pair.index, pair.reference, same ? pair.reference : pair.candidate),
          "variants");
    }
    const Stretch all = of_reference_.tokens_of(pair.index, pair.index + 1);
    const auto of = [&](const std::vector<double>& list) {
      return list.empty() ? std::span<const double>()
                          : std::span(list).subspan(at, all.token.size());
    };
    stage_.observer->on_expert(stage_.layer, static_cast<int>(pair.index),
                               {all.token, all.gate, of(output_), of(difference_)});
    at += all.token.size();
  }
  return {};
}

Result<void> Moe::experts() {
  for (std::size_t e = 0; e < static_cast<std::size_t>(ctx_.config.num_experts);) {
    CKPT_TRY_VOID(ctx_.check_stop(), "expert");
    const auto name = [e] { return fmt::format("expert {}", e); };
    CKPT_TRY_VOID(load_group(e), name());
    CKPT_TRY_VOID(run_group(), name());
    CKPT_TRY_VOID(report_group(), name());
    e = group_.back().index + 1;
  }
  group_.clear();
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
  CKPT_TRY_VOID(experts(), "experts");
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
