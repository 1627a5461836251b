#include "validator/pipeline/overflow.h"

#include "validator/forward/executor.h"

namespace ckpt::pipeline {

namespace {

/// Ends a run after a layer.
class EndAfter final : public forward::Journal {
 public:
  explicit EndAfter(int layer) : layer_(layer) {}

  std::optional<forward::Place> start() override { return std::nullopt; }

  Result<void> restore(const forward::StateView&) override {
    return fail(ErrorKind::internal, "nothing was kept");
  }

  Result<void> after_layer(forward::Place next, const forward::StateView&) override {
    reached_ = next.layer > layer_;
    if (reached_) return fail(ErrorKind::cancelled, "all that was asked for is seen");
    return {};
  }

  Result<void> after_pass(int) override { return {}; }

  [[nodiscard]] bool reached() const { return reached_; }

 private:
  int layer_;
  bool reached_ = false;
};

class NoObserver final : public forward::Observer {
 public:
  void on_routing(int, const forward::LayerRouting&) override {}

  void on_expert(int, int, const forward::ExpertSquares&) override {}

  void on_layer(int, const forward::LayerSquares&) override {}

  void on_positions(std::int64_t, std::span<const kernels::Divergence>) override {}
};

/// What the taps saw at the place, when all of it was finite.
std::optional<double> value_at(const forward::Taps& taps, const results::NonFinite& place) {
  const std::size_t stream = place.stream == "reference" ? 0 : 1;
  for (const auto& [key, record] : taps.records()) {
    if (place.layer >= 0 && key.first != place.layer) continue;
    if (forward::point_name(key.second) != place.op || record.range[stream].nonfinite > 0) continue;
    return double{record.range[stream].max_abs};
  }
  return std::nullopt;
}

Result<void> add_value(const KlArgs& args, const forward::Pair& pair, kernels::Ops& ops,
                       results::NonFinite& place) {
  const config::TextConfig& text = args.reference.config.text;
  const auto& whole = args.sequences[place.sequence];
  const auto count = static_cast<std::ptrdiff_t>(place.position + 1);
  const std::vector<std::vector<std::int32_t>> tokens{{whole.begin(), whole.begin() + count}};
  CKPT_TRY(const forward::Plan plan, forward::make_plan(pair, text, tokens, plan_memory(args)),
           "plan");
  const auto layers = static_cast<int>(text.num_hidden_layers);
  EndAfter end(place.layer >= 0 ? place.layer : layers);
  forward::Taps taps;
  NoObserver observer;
  NoProgress progress;
  const Result<void> done = forward::run_forward({.pair = pair,
                                                  .config = text,
                                                  .sequences = tokens,
                                                  .plan = plan,
                                                  .ops = ops,
                                                  .taps = taps,
                                                  .observer = observer,
                                                  .progress = progress,
                                                  .mode = forward::Mode::fp32,
                                                  .variants = {},
                                                  .local = false,
                                                  .weight_rounding = weight_rounding(args),
                                                  .journal = &end,
                                                  .stop = args.stop});
  if (!done && !end.reached()) return done;
  place.fp32 = value_at(taps, place);
  return {};
}

}  // namespace

Result<void> add_fp32_values(const KlArgs& args, const forward::Pair& pair, kernels::Ops& ops,
                             results::Metrics& metrics) {
  for (results::NonFinite& place : metrics.nonfinite) {
    if (place.sequence >= args.sequences.size() ||
        place.position >= args.sequences[place.sequence].size()) {
      continue;
    }
    if (args.note) args.note("computing the place of the overflow once more, in float32");
    CKPT_TRY_VOID(add_value(args, pair, ops, place), place.op);
  }
  return {};
}

}  // namespace ckpt::pipeline
