// The streaming executor: hidden states stay, weights come and go.

#include "validator/forward/executor.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "validator/forward/embedding.h"
#include "validator/forward/head.h"
#include "validator/forward/mixer.h"
#include "validator/forward/mlp.h"
#include "validator/forward/rope.h"
#include "validator/forward/variant_layer.h"

namespace ckpt::forward {

using kernels::Rounding;
using kernels::Rows;

namespace {

// One pass over the weights with some of the sequences.
class PassRun {
 public:
  PassRun(const ForwardArgs& args, const Context& context, const Plan::Pass& pass,
          std::int64_t first_token)
      : a_(args),
        ctx_(context),
        ops_(args.ops),
        pass_(pass),
        first_(first_token),
        variants_(context, args.variants) {}

  /// From `first_layer` on; beyond 0 the journal has the states.
  Result<void> run(std::size_t pass_index, int first_layer);

 private:
  Result<void> allocate();
  Result<void> begin(int layer, const StateView& states);
  Result<void> layers_from(std::size_t pass_index, std::span<const int> mine,
                           const StateView& states);
  Result<void> embed();
  Result<void> embed_images();
  Result<void> write_images(const Rows& x, const std::vector<float>& rows);
  Result<void> turn_images();
  Result<void> layer(int index);
  Result<void> mixers(int index, config::LayerType type);
  Result<void> mixer_block(int index, std::size_t begin, std::size_t end);
  Result<void> norms(int index);
  Result<void> wake_mixers(int index, config::LayerType type);
  Result<void> final_norms();
  Result<void> finish(int index);
  Result<void> head();

  std::size_t next_block(std::size_t sequence) const;

  int layers() const { return static_cast<int>(a_.config.num_hidden_layers); }

  /// Whether a layer is computed here; the head goes with the last one.
  bool has(int layer) const { return a_.share == nullptr || a_.share->has(layer); }

  TapSource tap(Stream stream, int layer_index, std::int64_t row = 0) const {
    return {&a_.taps, stream, layer_index, first_ + row, {}, 0};
  }

  const ForwardArgs& a_;
  const Context& ctx_;
  kernels::Ops& ops_;
  const Plan::Pass& pass_;
  std::int64_t first_;
  std::vector<std::int64_t> starts_;  // of each sequence in the pass, then the token count
  std::vector<kernels::Buffer> memory_;
  Hidden h_;
  std::optional<WeightFeed> feed_;
  MixerWeights reference_;
  MixerWeights candidate_;
  NormPair norm_;  // the last one taken from the feed
  VariantStates variants_;
  std::vector<Image> images_;        // of the pass, their sequences counted within it
  std::optional<RopeTable> places_;  // with images: angles of every token
  bool same_mixer_ = false;
  bool equal_streams_ = false;  // both residual streams hold the same numbers
  std::uint64_t head_bytes_ = 0;
};

Result<void> PassRun::allocate() {
  starts_.assign(1, 0);
  for (std::size_t s = 0; s < pass_.sequences; ++s) {
    const auto& sequence = a_.sequences[pass_.first_sequence + s];
    starts_.push_back(starts_.back() + static_cast<std::int64_t>(sequence.size()));
  }
  const std::int64_t width = a_.config.hidden_size;
  for (Rows* rows : {&h_.x_reference, &h_.x_candidate, &h_.in_reference, &h_.in_candidate,
                     &h_.y_reference, &h_.y_candidate, &h_.local, &h_.before}) {
    CKPT_TRY(kernels::Buffer buffer, ops_.allocate(pass_.tokens * width), "hidden states");
    *rows = {buffer.data(), pass_.tokens, width, width};
    memory_.push_back(std::move(buffer));
  }
  for (Image image : a_.images) {
    if (image.sequence < pass_.first_sequence) continue;
    image.sequence -= pass_.first_sequence;
    if (image.sequence < pass_.sequences) images_.push_back(std::move(image));
  }
  return images_.empty() ? Result<void>{} : turn_images();
}

// The angles of a pass with images: a token's place is not its position then.
Result<void> PassRun::turn_images() {
  const config::VisionConfig& vision = *a_.pair.reference.config().vision;
  std::vector<Place3> places;
  auto image = images_.begin();
  for (std::size_t s = 0; s < pass_.sequences; ++s) {
    const auto first = image;
    while (image != images_.end() && image->sequence == s) ++image;
    const std::vector<Place3> some =
        places_of(starts_[s + 1] - starts_[s], std::span(first, image), vision);
    places.insert(places.end(), some.begin(), some.end());
  }
  if (static_cast<std::int64_t>(places.size()) != pass_.tokens) {
    return fail(ErrorKind::internal, "the images do not fit their sequences");
  }
  CKPT_TRY(places_, make_rope_table(ops_, a_.config, places, ctx_.rounding), "angles");
  places_->rows.by_token = true;
  return {};
}

Result<void> PassRun::write_images(const Rows& x, const std::vector<float>& rows) {
  const config::VisionConfig& vision = *a_.pair.reference.config().vision;
  std::size_t at = 0;
  for (const Image& image : images_) {
    const std::int64_t count = image.tokens(vision);
    const auto floats = static_cast<std::size_t>(count * x.cols);
    CKPT_TRY_VOID(ops_.write(x.slice(starts_[image.sequence] + image.position, count),
                             std::span(rows).subspan(at, floats)),
                  "images");
    at += floats;
  }
  return {};
}

// The tower's rows take the place of the embedding's.
Result<void> PassRun::embed_images() {
  if (images_.empty()) return {};
  CKPT_TRY(const VisionRows rows,
           run_vision({a_.pair, *a_.pair.reference.config().vision, ops_, a_.mode,
                       a_.weight_rounding, a_.stop},
                      images_),
           "vision tower");
  CKPT_TRY_VOID(write_images(h_.x_reference, rows.reference), "reference");
  CKPT_TRY_VOID(write_images(h_.x_candidate, rows.candidate), "candidate");
  if (rows.reference != rows.candidate) {
    CKPT_TRY_VOID(variants_.wake(-1, arch::ModuleClass::vision, h_.x_reference, h_.x_candidate),
                  "variants");
  }
  for (std::size_t v = 0; v < variants_.size(); ++v) {
    if (!variants_.alive(v)) continue;
    const Stream from = variants_.variant(v).source(-1, arch::ModuleClass::vision);
    CKPT_TRY_VOID(
        write_images(variants_.x(v), from == Stream::reference ? rows.reference : rows.candidate),
        "variants");
  }
  return {};
}

Result<void> PassRun::embed() {
  const auto tokens = std::span(a_.sequences).subspan(pass_.first_sequence, pass_.sequences);
  CKPT_TRY_VOID(embed_tokens(a_.pair.reference, tokens, ops_, h_.x_reference), "reference");
  CKPT_TRY_VOID(embed_tokens(a_.pair.candidate, tokens, ops_, h_.x_candidate), "candidate");
  const auto streams_equal = [this]() -> Result<bool> {
    std::vector<double> apart(static_cast<std::size_t>(pass_.tokens));
    CKPT_TRY_VOID(ops_.row_squares(h_.x_reference, h_.x_candidate, apart), "embedding");
    return std::all_of(apart.begin(), apart.end(), [](double d) { return d == 0; });
  };
  CKPT_TRY(equal_streams_, streams_equal(), "embedding");
  if (!equal_streams_) {
    CKPT_TRY_VOID(variants_.wake(-1, arch::ModuleClass::embedding, h_.x_reference, h_.x_candidate),
                  "variants");
  }
  CKPT_TRY_VOID(embed_images(), "images");
  CKPT_TRY(equal_streams_, streams_equal(), "embedding");
  CKPT_TRY_VOID(variants_.wake_noise(h_.x_reference, h_.x_candidate), "variants");
  CKPT_TRY_VOID(tap(Stream::reference, -1).see(ops_, Point::embedding, h_.x_reference), "tap");
  return tap(Stream::candidate, -1).see(ops_, Point::embedding, h_.x_candidate);
}

// The first sequence beyond a mixer block that begins at `sequence`.
std::size_t PassRun::next_block(std::size_t sequence) const {
  std::size_t end = sequence + 1;
  while (end < pass_.sequences && starts_[end + 1] - starts_[sequence] <= a_.plan.mixer_tokens) {
    ++end;
  }
  return end;
}

Result<void> PassRun::mixer_block(int index, std::size_t begin, std::size_t end) {
  const std::int64_t row = starts_[begin];
  const std::int64_t count = starts_[end] - row;
  std::vector<std::int64_t> starts(starts_.begin() + static_cast<std::ptrdiff_t>(begin),
                                   starts_.begin() + static_cast<std::ptrdiff_t>(end) + 1);
  for (std::int64_t& start : starts) start -= row;
  const Rows x = h_.x_reference.slice(row, count);
  const Rows x_candidate = h_.x_candidate.slice(row, count);
  const MixerWeights& candidate = same_mixer_ ? reference_ : candidate_;
  const Context ctx = places_ ? ctx_.with_rope(places_->rows.slice(row, count)) : ctx_;
  const WorkspaceScope scope(ctx_.workspace);
  CKPT_TRY(const Rows o, ctx_.workspace.take(count, x.cols), "mixer");
  CKPT_TRY(const Rows other, ctx_.workspace.take(count, x.cols), "mixer");
  CKPT_TRY_VOID(run_mixer(ctx, reference_, x, starts, tap(Stream::reference, index, row), o),
                "reference");
  const Rows local = h_.local.slice(row, count);
  CKPT_TRY_VOID(ops_.fill(local, 0), "local");
  if (!same_mixer_ && !equal_streams_ && ctx_.local) {
    CKPT_TRY_VOID(run_mixer(ctx, candidate, x, starts, {}, other), "local");
    CKPT_TRY_VOID(ops_.subtract(other, o), "local");
    CKPT_TRY_VOID(ops_.add(local, other, Rounding::none), "local");
  }
  CKPT_TRY_VOID(
      run_mixer(ctx, candidate, x_candidate, starts, tap(Stream::candidate, index, row), other),
      "candidate");
  if (equal_streams_) {  // before the first layer the candidate's inputs are the reference's
    CKPT_TRY_VOID(ops_.add(local, other, Rounding::none), "local");
    CKPT_TRY_VOID(ops_.subtract(local, o), "local");
  }
  const Rows before = h_.before.slice(row, count);
  CKPT_TRY_VOID(ops_.fill(before, 0), "residual");
  CKPT_TRY_VOID(ops_.add(before, x, Rounding::none), "residual");
  CKPT_TRY_VOID(ops_.add(x, o, ctx_.rounding), "residual");
  CKPT_TRY_VOID(ops_.add(x_candidate, other, ctx_.rounding), "residual");
  return mix_variants(ctx, variants_, index, a_.config.layer_types[static_cast<std::size_t>(index)],
                      reference_, candidate, starts, row, count);
}

// Variants that take this layer's mixer from the other side leave the stream they follow here.
Result<void> PassRun::wake_mixers(int index, config::LayerType type) {
  if (same_mixer_) return {};
  const auto cls = type == config::LayerType::full_attention ? arch::ModuleClass::full_attention
                                                             : arch::ModuleClass::linear_attention;
  return variants_.wake(index, cls, h_.x_reference, h_.x_candidate);
}

Result<void> PassRun::mixers(int index, config::LayerType type) {
  CKPT_TRY(reference_, load_mixer(type, *feed_), "reference");
  CKPT_TRY(candidate_, load_mixer(type, *feed_), "candidate");
  same_mixer_ = same_weights(reference_, candidate_);
  if (same_mixer_) candidate_ = {};
  CKPT_TRY_VOID(wake_mixers(index, type), "variants");
  for (std::size_t begin = 0; begin < pass_.sequences;) {
    CKPT_TRY_VOID(ctx_.check_stop(), "mixer");
    const std::size_t end = next_block(begin);
    CKPT_TRY_VOID(mixer_block(index, begin, end), "mixer");
    begin = end;
  }
  equal_streams_ = false;
  reference_ = {};
  candidate_ = {};
  CKPT_TRY_VOID(tap(Stream::reference, index).see(ops_, Point::mixer_residual, h_.x_reference),
                "tap");
  return tap(Stream::candidate, index).see(ops_, Point::mixer_residual, h_.x_candidate);
}

// Both norms before the second half of a layer, or before the head.
Result<void> PassRun::norms(int index) {
  const Point point = index == layers() ? Point::final_norm : Point::post_norm;
  CKPT_TRY(norm_.reference, feed_->next_vector(), "norm");
  CKPT_TRY(norm_.candidate, feed_->next_vector(), "norm");
  CKPT_TRY_VOID(run_norm(ctx_, norm_.reference, h_.x_reference, h_.in_reference), "norm");
  CKPT_TRY_VOID(run_norm(ctx_, norm_.candidate, h_.x_candidate, h_.in_candidate), "norm");
  CKPT_TRY_VOID(tap(Stream::reference, index).see(ops_, point, h_.in_reference), "tap");
  return tap(Stream::candidate, index).see(ops_, point, h_.in_candidate);
}

// Adds the second half to the residual and reports the layer.
Result<void> PassRun::finish(int index) {
  CKPT_TRY_VOID(ops_.add(h_.x_reference, h_.y_reference, ctx_.rounding), "residual");
  CKPT_TRY_VOID(ops_.add(h_.x_candidate, h_.y_candidate, ctx_.rounding), "residual");
  CKPT_TRY_VOID(tap(Stream::reference, index).see(ops_, Point::residual, h_.x_reference), "tap");
  CKPT_TRY_VOID(tap(Stream::candidate, index).see(ops_, Point::residual, h_.x_candidate), "tap");
  const auto tokens = static_cast<std::size_t>(pass_.tokens);
  std::vector<double> reference(tokens), candidate(tokens), difference(tokens), update(tokens),
      local(tokens);
  CKPT_TRY_VOID(ops_.row_squares(h_.x_reference, {}, reference), "norms");
  CKPT_TRY_VOID(ops_.row_squares(h_.x_candidate, {}, candidate), "norms");
  CKPT_TRY_VOID(ops_.row_squares(h_.x_candidate, h_.x_reference, difference), "norms");
  CKPT_TRY_VOID(ops_.row_squares(h_.x_reference, h_.before, update), "norms");
  CKPT_TRY_VOID(ops_.row_squares(h_.local, {}, local), "norms");
  if (!ctx_.local) local.clear();
  a_.observer.on_layer(index, {reference, candidate, difference, update, local});
  CKPT_TRY_VOID(a_.observer.on_reference(index, first_, ops_, h_.x_reference), "observer");
  return variants_.disturb(index, first_);
}

Result<void> PassRun::layer(int index) {
  CKPT_TRY_VOID(ctx_.check_stop(), "forward");
  CKPT_TRY_VOID(mixers(index, a_.config.layer_types[static_cast<std::size_t>(index)]), "mixer");
  CKPT_TRY_VOID(norms(index), "norm");
  VariantStates* variants = variants_.size() == 0 ? nullptr : &variants_;
  const MlpStage stage{index,    first_, a_.plan.expert_rows, &a_.taps, &a_.observer,
                       variants, &norm_};
  if (a_.config.moe) {
    CKPT_TRY_VOID(run_moe(ctx_, *feed_, stage, h_), "experts");
  } else {
    CKPT_TRY_VOID(run_dense(ctx_, *feed_, stage, h_), "mlp");
  }
  return finish(index);
}

// The variants' states become the head's inputs, in place.
Result<void> PassRun::final_norms() {
  if (norm_.reference != norm_.candidate) {
    CKPT_TRY_VOID(variants_.wake(layers(), arch::ModuleClass::norm, h_.x_reference, h_.x_candidate),
                  "norm");
  }
  // The heads' bytes are not at hand yet: a variant that picks the head is carried to the end.
  CKPT_TRY_VOID(variants_.wake(layers(), arch::ModuleClass::head, h_.x_reference, h_.x_candidate),
                "head");
  for (std::size_t v = 0; v < variants_.size(); ++v) {
    if (!variants_.alive(v)) continue;
    const Stream from = variants_.variant(v).source(layers(), arch::ModuleClass::norm);
    CKPT_TRY_VOID(run_norm(ctx_, norm_.of(from), variants_.x(v), variants_.x(v)), "norm");
  }
  return {};
}

Result<void> PassRun::head() {
  CKPT_TRY_VOID(norms(layers()), "final norm");
  CKPT_TRY_VOID(final_norms(), "variants");
  CKPT_TRY_VOID(a_.observer.on_reference(layers(), first_, ops_, h_.in_reference), "observer");
  ctx_.workspace.clear();
  feed_.reset();
  // Only the normalised states are needed from here on.
  for (const std::size_t i : {0U, 1U, 4U, 5U, 6U, 7U}) memory_[i] = {};
  std::vector<std::int64_t> labels;
  for (std::size_t s = 0; s < pass_.sequences; ++s) {
    const auto& sequence = a_.sequences[pass_.first_sequence + s];
    for (std::size_t t = 1; t < sequence.size(); ++t) labels.push_back(sequence[t]);
    if (!sequence.empty()) labels.push_back(-1);
  }
  for (const Image& image : images_) {  // nobody predicts the tokens of an image
    const std::int64_t first = starts_[image.sequence] + image.position - 1;
    const std::int64_t count = image.tokens(*a_.pair.reference.config().vision);
    for (std::int64_t i = std::max<std::int64_t>(first, 0); i < first + count; ++i) {
      labels[static_cast<std::size_t>(i)] = -1;
    }
  }
  Head head_stage(a_.pair, ops_, a_.weight_rounding, a_.plan.head_resident,
                  a_.plan.read_ahead_bytes);
  CKPT_TRY_VOID(head_stage.open(), "head");
  CKPT_TRY_VOID(
      compare_logits(ctx_, head_stage,
                     {first_, labels, a_.plan.head_positions, &a_.taps, &a_.observer, &variants_},
                     h_.in_reference, h_.in_candidate),
      "head");
  head_bytes_ = head_stage.bytes_read();
  ctx_.workspace.clear();
  return {};
}

// The states before a layer that the run begins with, or comes to from another's.
Result<void> PassRun::begin(int layer, const StateView& states) {
  if (layer == 0) return embed();
  return a_.share != nullptr ? a_.share->receive(layer, states) : a_.journal->restore(states);
}

Result<void> PassRun::layers_from(std::size_t pass_index, std::span<const int> mine,
                                  const StateView& states) {
  const auto whole = static_cast<std::uint64_t>(layers());
  const std::uint64_t total = (whole + 1) * a_.plan.passes.size();
  if (mine.empty()) return begin(layers(), states);  // the journal was kept before the head
  int before = -1;                                   // the last layer whose states are here
  for (const int i : mine) {
    if (before < 0 || before + 1 != i) {
      CKPT_TRY_VOID(begin(i, states), i == 0 ? "embedding" : "states");
    }
    const std::uint64_t done = pass_index * (whole + 1) + static_cast<std::uint64_t>(i);
    a_.progress.update("layers", done, total, feed_->bytes_read());
    CKPT_TRY_VOID(layer(i), fmt::format("layer {}", i));
    before = i;
    if (i + 1 < layers() && !has(i + 1)) CKPT_TRY_VOID(a_.share->send(i + 1, states), "states");
    if (a_.journal == nullptr) continue;
    CKPT_TRY_VOID(a_.journal->after_layer({static_cast<int>(pass_index), i + 1}, states),
                  "journal");
  }
  return {};
}

Result<void> PassRun::run(std::size_t pass_index, int first_layer) {
  std::vector<int> mine;
  for (int i = first_layer; i < layers(); ++i) {
    if (has(i)) mine.push_back(i);
  }
  const bool with_head = has(layers() - 1);
  CKPT_TRY(std::vector<weights::Request> requests,
           layer_requests(a_.pair, a_.config, mine, with_head), "forward");
  feed_.emplace(ops_, a_.weight_rounding, std::move(requests), a_.plan.read_ahead_bytes);
  CKPT_TRY_VOID(allocate(), "forward");
  const StateView states{ops_, h_, variants_};
  CKPT_TRY_VOID(layers_from(pass_index, mine, states), "forward");
  if (!with_head) return {};
  const auto whole = static_cast<std::uint64_t>(layers());
  const std::uint64_t total = (whole + 1) * a_.plan.passes.size();
  const std::uint64_t done = pass_index * (whole + 1) + whole;
  a_.progress.update("head", done, total, 0);
  CKPT_TRY_VOID(head(), "head");
  a_.progress.update("head", done + 1, total, head_bytes_);
  if (a_.journal == nullptr) return {};
  return a_.journal->after_pass(static_cast<int>(pass_index));
}

}  // namespace

Result<void> run_forward(const ForwardArgs& a) {
  std::int64_t longest = 1;
  for (const auto& sequence : a.sequences) {
    longest = std::max(longest, static_cast<std::int64_t>(sequence.size()));
  }
  const Rounding rounding = rounding_of(a.mode);
  CKPT_TRY(const RopeTable rope, make_rope_table(a.ops, a.config, longest, rounding), "forward");
  Workspace workspace(a.ops);
  const Context context{a.ops,     a.config,       rounding, workspace,
                        rope.rows, a.exact_router, a.local,  a.stop};
  const Place start = (a.journal == nullptr ? std::nullopt : a.journal->start()).value_or(Place{});
  std::int64_t first = 0;
  for (std::size_t i = 0; i < a.plan.passes.size(); ++i) {
    if (static_cast<int>(i) >= start.pass) {
      PassRun pass(a, context, a.plan.passes[i], first);
      const int layer = static_cast<int>(i) == start.pass ? start.layer : 0;
      CKPT_TRY_VOID(pass.run(i, layer), fmt::format("pass {}", i + 1));
    }
    first += a.plan.passes[i].tokens;
  }
  return {};
}

}  // namespace ckpt::forward
