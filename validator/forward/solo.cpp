#include "validator/forward/solo.h"

#include <fmt/format.h>

#include <algorithm>

#include "validator/forward/embedding.h"
#include "validator/forward/head.h"
#include "validator/forward/rope.h"
#include "validator/forward/variant_layer.h"

namespace ckpt::forward {

using kernels::Rows;

namespace {

// One pass over the candidate's weights, its states carried as a variant that follows it.
class SoloRun {
 public:
  SoloRun(const ForwardArgs& args, const ReferenceStates& states, const Context& context,
          const Plan::Pass& pass, std::int64_t first_token)
      : a_(args),
        reference_(states),
        ctx_(context),
        ops_(args.ops),
        pass_(pass),
        first_(first_token),
        states_(context, {&kCandidate, 1}) {}

  Result<void> run(std::size_t pass_index);

 private:
  Result<void> start();
  Result<void> layer(int index);
  Result<void> mixer(int index, config::LayerType type);
  Result<void> experts(int index, const NormPair& norm);
  Result<void> report(int index);
  Result<void> head();

  [[nodiscard]] int layers() const { return static_cast<int>(a_.config.num_hidden_layers); }

  inline static const Variant kCandidate{Stream::candidate, {}};

  const ForwardArgs& a_;
  const ReferenceStates& reference_;
  const Context& ctx_;
  kernels::Ops& ops_;
  const Plan::Pass& pass_;
  std::int64_t first_;
  std::vector<std::int64_t> starts_;
  VariantStates states_;
  kernels::Buffer memory_;
  Rows kept_;  // states of the reference at a place
  std::optional<WeightFeed> feed_;
  std::uint64_t head_bytes_ = 0;
};

Result<void> SoloRun::start() {
  starts_.assign(1, 0);
  for (std::size_t s = 0; s < pass_.sequences; ++s) {
    const auto& sequence = a_.sequences[pass_.first_sequence + s];
    starts_.push_back(starts_.back() + static_cast<std::int64_t>(sequence.size()));
  }
  const std::int64_t width = a_.config.hidden_size;
  CKPT_TRY(memory_, ops_.allocate(pass_.tokens * width), "hidden states");
  kept_ = {memory_.data(), pass_.tokens, width, width};
  CKPT_TRY_VOID(states_.revive(0, pass_.tokens, width), "hidden states");
  const auto tokens = std::span(a_.sequences).subspan(pass_.first_sequence, pass_.sequences);
  return embed_tokens(a_.pair.candidate, tokens, ops_, states_.x(0));
}

Result<void> SoloRun::mixer(int index, config::LayerType type) {
  CKPT_TRY(const MixerWeights weights, load_mixer(type, *feed_), "mixer");
  for (std::size_t begin = 0; begin < pass_.sequences;) {
    std::size_t end = begin + 1;
    while (end < pass_.sequences && starts_[end + 1] - starts_[begin] <= a_.plan.mixer_tokens) {
      ++end;
    }
    std::vector<std::int64_t> starts(starts_.begin() + static_cast<std::ptrdiff_t>(begin),
                                     starts_.begin() + static_cast<std::ptrdiff_t>(end) + 1);
    for (std::int64_t& at : starts) at -= starts_[begin];
    CKPT_TRY_VOID(mix_variants(ctx_, states_, index, type, weights, weights, starts, starts_[begin],
                               starts_[end] - starts_[begin]),
                  "mixer");
    begin = end;
  }
  return {};
}

Result<void> SoloRun::experts(int index, const NormPair& norm) {
  CKPT_TRY(const MoeWeights weights, load_moe(*feed_), "experts");
  VariantMoe moe(ctx_, states_, index, norm, a_.plan.expert_rows);
  CKPT_TRY_VOID(moe.route(weights.router, weights.router), "router");
  for (std::size_t e = 0; e < static_cast<std::size_t>(a_.config.num_experts); ++e) {
    CKPT_TRY(const MlpWeights expert, load_mlp(*feed_), "expert");
    CKPT_TRY_VOID(moe.expert(e, expert, expert), fmt::format("expert {}", e));
  }
  return moe.finish(weights, weights);
}

Result<void> SoloRun::report(int index) {
  if (!reference_.has_layers()) return {};
  CKPT_TRY_VOID(reference_.read(index, first_, ops_, kept_), "bundle");
  const auto tokens = static_cast<std::size_t>(pass_.tokens);
  std::vector<double> reference(tokens), candidate(tokens), difference(tokens);
  CKPT_TRY_VOID(ops_.row_squares(kept_, {}, reference), "norms");
  CKPT_TRY_VOID(ops_.row_squares(states_.x(0), {}, candidate), "norms");
  CKPT_TRY_VOID(ops_.row_squares(states_.x(0), kept_, difference), "norms");
  a_.observer.on_layer(index, {reference, candidate, difference, {}, {}});
  return {};
}

Result<void> SoloRun::layer(int index) {
  CKPT_TRY_VOID(ctx_.check_stop(), "forward");
  CKPT_TRY_VOID(mixer(index, a_.config.layer_types[static_cast<std::size_t>(index)]), "mixer");
  CKPT_TRY(const std::vector<float> norm, feed_->next_vector(), "norm");
  const NormPair both{norm, norm};
  if (a_.config.moe) {
    CKPT_TRY_VOID(experts(index, both), "experts");
  } else {
    CKPT_TRY(const MlpWeights weights, load_mlp(*feed_), "mlp");
    CKPT_TRY_VOID(dense_variants(ctx_, states_, index, weights, weights, both, a_.plan.expert_rows),
                  "mlp");
  }
  return report(index);
}

Result<void> SoloRun::head() {
  CKPT_TRY(const std::vector<float> norm, feed_->next_vector(), "norm");
  CKPT_TRY_VOID(run_norm(ctx_, norm, states_.x(0), states_.x(0)), "norm");
  ctx_.workspace.clear();
  feed_.reset();
  CKPT_TRY_VOID(reference_.read(layers(), first_, ops_, kept_), "bundle");
  std::vector<std::int64_t> labels;
  for (std::size_t s = 0; s < pass_.sequences; ++s) {
    const auto& sequence = a_.sequences[pass_.first_sequence + s];
    for (std::size_t t = 1; t < sequence.size(); ++t) labels.push_back(sequence[t]);
    if (!sequence.empty()) labels.push_back(-1);
  }
  const Pair pair{a_.pair.candidate, a_.pair.candidate};
  Head stage(pair, ops_, a_.weight_rounding, a_.plan.head_resident, a_.plan.read_ahead_bytes);
  CKPT_TRY_VOID(stage.open(), "head");
  CKPT_TRY_VOID(
      compare_logits(ctx_, stage, {first_, labels, a_.plan.head_positions, &a_.taps, &a_.observer},
                     kept_, states_.x(0)),
      "head");
  head_bytes_ = stage.bytes_read();
  ctx_.workspace.clear();
  return {};
}

Result<void> SoloRun::run(std::size_t pass_index) {
  CKPT_TRY(std::vector<weights::Request> requests, solo_requests(a_.pair.candidate, a_.config),
           "forward");
  feed_.emplace(ops_, a_.weight_rounding, std::move(requests), a_.plan.read_ahead_bytes);
  CKPT_TRY_VOID(start(), "embedding");
  const auto whole = static_cast<std::uint64_t>(layers());
  const std::uint64_t total = (whole + 1) * a_.plan.passes.size();
  for (int i = 0; i < layers(); ++i) {
    const std::uint64_t done = pass_index * (whole + 1) + static_cast<std::uint64_t>(i);
    a_.progress.update("layers", done, total, feed_->bytes_read());
    CKPT_TRY_VOID(layer(i), fmt::format("layer {}", i));
  }
  const std::uint64_t done = pass_index * (whole + 1) + whole;
  a_.progress.update("head", done, total, 0);
  CKPT_TRY_VOID(head(), "head");
  a_.progress.update("head", done + 1, total, head_bytes_);
  return {};
}

}  // namespace

Result<void> run_solo(const ForwardArgs& a, const ReferenceStates& states) {
  std::int64_t longest = 1;
  for (const auto& sequence : a.sequences) {
    longest = std::max(longest, static_cast<std::int64_t>(sequence.size()));
  }
  const kernels::Rounding rounding = rounding_of(a.mode);
  CKPT_TRY(const RopeTable rope, make_rope_table(a.ops, a.config, longest, rounding), "forward");
  Workspace workspace(a.ops);
  const Context context{a.ops,     a.config,       rounding, workspace,
                        rope.rows, a.exact_router, false,    a.stop};
  std::int64_t first = 0;
  for (std::size_t i = 0; i < a.plan.passes.size(); ++i) {
    SoloRun pass(a, states, context, a.plan.passes[i], first);
    CKPT_TRY_VOID(pass.run(i), fmt::format("pass {}", i + 1));
    first += a.plan.passes[i].tokens;
  }
  return {};
}

}  // namespace ckpt::forward
