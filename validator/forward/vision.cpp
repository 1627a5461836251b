#include "validator/forward/vision.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "validator/base/text.h"
#include "validator/forward/linear.h"
#include "validator/forward/workspace.h"

namespace ckpt::forward {

using kernels::Heads;
using kernels::Rounding;
using kernels::Rows;

namespace {

constexpr std::int64_t kBlockRows = 1024;  // of patches and of the MLP at a time
constexpr float kEpsilon = 1e-6F;          // fixed in the tower (architecture 3.1)

struct Biased {
  Linear linear;
  std::vector<float> bias;  ///< [out]
};

struct LayerNorm {
  std::vector<float> weight;
  std::vector<float> bias;
  bool operator==(const LayerNorm&) const = default;
};

struct BlockWeights {
  LayerNorm norm1, norm2;
  Biased qkv;   ///< [3 B, B]: queries, keys, values
  Biased proj;  ///< [B, B]
  Biased fc1;   ///< [Fv, B]
  Biased fc2;   ///< [B, Fv]
};

struct EmbedWeights {
  Biased proj;                ///< [B, C frames patch patch]
  std::vector<float> places;  ///< [side^2, B]
};

struct MergerWeights {
  LayerNorm norm;
  Biased fc1;  ///< [m^2 B, m^2 B]
  Biased fc2;  ///< [H, m^2 B]
};

bool same(const Biased& a, const Biased& b) {
  return a.bias == b.bias && weights::same_bytes(a.linear.parameter, b.linear.parameter);
}

bool same(const BlockWeights& a, const BlockWeights& b) {
  return a.norm1 == b.norm1 && a.norm2 == b.norm2 && same(a.qkv, b.qkv) && same(a.proj, b.proj) &&
         same(a.fc1, b.fc1) && same(a.fc2, b.fc2);
}

bool same(const EmbedWeights& a, const EmbedWeights& b) {
  return same(a.proj, b.proj) && a.places == b.places;
}

bool same(const MergerWeights& a, const MergerWeights& b) {
  return a.norm == b.norm && same(a.fc1, b.fc1) && same(a.fc2, b.fc2);
}

/// Reads the modules of one model's tower.
class Loader {
 public:
  Loader(const weights::Model& model, const VisionArgs& args) : model_(model), a_(args) {}

  Result<EmbedWeights> embed() const {
    EmbedWeights w;
    CKPT_TRY(w.proj, biased("patch_embed.proj"), "weights");
    CKPT_TRY(const std::uint32_t i, index("pos_embed"), "weights");
    CKPT_TRY(const weights::Parameter p, model_.load(i), "weights");
    CKPT_TRY(w.places, p.decode_all(), "weights");
    return w;
  }

  Result<BlockWeights> block(std::int64_t j) const {
    const std::string p = fmt::format("blocks.{}.", j);
    BlockWeights w;
    CKPT_TRY(w.norm1, norm(p + "norm1"), "weights");
    CKPT_TRY(w.norm2, norm(p + "norm2"), "weights");
    CKPT_TRY(w.qkv, biased(p + "attn.qkv"), "weights");
    CKPT_TRY(w.proj, biased(p + "attn.proj"), "weights");
    CKPT_TRY(w.fc1, biased(p + "mlp.linear_fc1"), "weights");
    CKPT_TRY(w.fc2, biased(p + "mlp.linear_fc2"), "weights");
    return w;
  }

  Result<MergerWeights> merger() const {
    MergerWeights w;
    CKPT_TRY(w.norm, norm("merger.norm"), "weights");
    CKPT_TRY(w.fc1, biased("merger.linear_fc1"), "weights");
    CKPT_TRY(w.fc2, biased("merger.linear_fc2"), "weights");
    return w;
  }

 private:
  const weights::Model& model_;
  const VisionArgs& a_;

  Result<std::uint32_t> index(const std::string& name) const {
    const std::int32_t i = model_.blueprint().find("model.visual." + name);
    if (i < 0) {
      return fail(ErrorKind::not_found, fmt::format("model.visual.{}: no such module", name));
    }
    return static_cast<std::uint32_t>(i);
  }

  Result<Biased> biased(const std::string& name) const {
    CKPT_TRY(const std::uint32_t i, index(name), "weights");
    Biased out;
    CKPT_TRY(out.linear.parameter, model_.load(i), "weights");
    CKPT_TRY(const kernels::MatrixView view, matrix_view(out.linear.parameter, a_.weight_rounding),
             name);
    CKPT_TRY(out.linear.matrix, a_.ops.matrix(view), name);
    CKPT_TRY(out.bias, model_.load_bias(i), "weights");
    return out;
  }

  Result<LayerNorm> norm(const std::string& name) const {
    CKPT_TRY(const std::uint32_t i, index(name), "weights");
    CKPT_TRY(const weights::Parameter p, model_.load(i), "weights");
    LayerNorm out;
    CKPT_TRY(out.weight, p.decode_all(), "weights");
    CKPT_TRY(out.bias, model_.load_bias(i), "weights");
    return out;
  }
};

/// Row and column of every patch of an image in the order of its rows: block after block of the
/// merger.
std::vector<Place3> patch_places(const Image& image, std::int64_t merge) {
  std::vector<Place3> out;
  for (std::int64_t r = 0; r < image.height; r += merge) {
    for (std::int64_t c = 0; c < image.width; c += merge) {
      for (std::int64_t i = 0; i < merge * merge; ++i) {
        out.push_back({0, r + i / merge, c + i % merge});
      }
    }
  }
  return out;
}

/// The two table rows between which an index of an axis falls (corners aligned), and their weights.
struct Taps {
  std::int64_t low = 0;
  std::int64_t high = 0;
  float weight_low = 1;
  float weight_high = 0;
};

Taps taps_of(std::int64_t index, std::int64_t size, std::int64_t side) {
  const float at = static_cast<float>(index) * static_cast<float>(side - 1) /
                   static_cast<float>(std::max<std::int64_t>(size - 1, 1));
  const float below = std::floor(at);
  const auto low = static_cast<std::int64_t>(below);
  return {std::min(low, side - 1), std::min(low + 1, side - 1), 1 - (at - below), at - below};
}

/// One pass of one side or of both over the images.
class Tower {
 public:
  Tower(const VisionArgs& args, std::span<const Image> images)
      : a_(args),
        v_(args.vision),
        ops_(args.ops),
        images_(images),
        rounding_(rounding_of(args.mode)),
        workspace_(args.ops) {}

  Result<VisionRows> run();

 private:
  /// The rows of one image among all patches, and its angles.
  struct Span {
    std::int64_t first = 0;
    std::int64_t count = 0;
    RopeTable turn;
  };

  Result<void> prepare();
  Result<RopeTable> turn_of(const Image& image);
  Result<void> embed(const EmbedWeights& w, const Image& image, const Rows& x);
  Result<std::vector<float>> places(const EmbedWeights& w, const Image& image) const;
  Result<void> block(const BlockWeights& w, const Rows& x, const RopeRows& turn);
  Result<void> attend(const BlockWeights& w, const Rows& x, const RopeRows& turn);
  Result<void> mlp(const BlockWeights& w, const Rows& x);
  Result<void> merge(const MergerWeights& w, const Rows& x, std::span<float> out);
  Result<void> linear(const Biased& w, const Rows& x, const Rows& y);
  Result<void> layer_norm(const LayerNorm& w, const Rows& x, const Rows& y);
  Result<void> round(const Rows& x);

  /// Calls `step(weights, rows, span)` for every image on each side that is computed; from here on
  /// both are when the weights differ.
  template <class Weights, class Step>
  Result<void> both(const Weights& reference, const Weights& candidate, Step step);
  Result<void> part_ways();

  const VisionArgs& a_;
  const config::VisionConfig& v_;
  kernels::Ops& ops_;
  std::span<const Image> images_;
  Rounding rounding_;
  Workspace workspace_;
  std::vector<Span> spans_;
  std::int64_t patches_ = 0;
  kernels::Buffer memory_reference_;
  kernels::Buffer memory_candidate_;
  Rows x_reference_;
  Rows x_candidate_;
  bool apart_ = false;  // the candidate has states of its own
};

Result<void> Tower::prepare() {
  for (const Image& image : images_) {
    const std::int64_t m = v_.spatial_merge_size;
    if (image.height <= 0 || image.width <= 0 || image.height % m != 0 || image.width % m != 0) {
      return fail(ErrorKind::internal, "an image is not cut into whole blocks of patches");
    }
    Span span{patches_, image.height * image.width, {}};
    CKPT_TRY(span.turn, turn_of(image), "angles");
    patches_ += span.count;
    spans_.push_back(std::move(span));
  }
  CKPT_TRY(memory_reference_, ops_.allocate(patches_ * v_.hidden_size), "patches");
  x_reference_ = {memory_reference_.data(), patches_, v_.hidden_size, v_.hidden_size};
  return {};
}

// Half of the turned dims follow the row, half the column.
Result<RopeTable> Tower::turn_of(const Image& image) {
  const std::int64_t half = v_.hidden_size / v_.num_heads / 2;
  std::vector<float> inverse;
  for (std::int64_t j = 0; j < half / 2; ++j) {
    const float exponent = static_cast<float>(2 * j) / static_cast<float>(half);
    inverse.push_back(static_cast<float>(1.0 / std::pow(v_.rope_theta, double{exponent})));
  }
  std::vector<float> cos;
  std::vector<float> sin;
  for (const Place3& place : patch_places(image, v_.spatial_merge_size)) {
    for (const std::int64_t at : {place.height, place.width}) {
      for (const float i : inverse) {
        const double angle = static_cast<float>(at) * i;  // an f32 product, as in the reference
        cos.push_back(static_cast<float>(std::cos(angle)));
        sin.push_back(static_cast<float>(std::sin(angle)));
      }
    }
  }
  return upload_rope(ops_, cos, sin, half);
}

Result<void> Tower::part_ways() {
  if (apart_) return {};
  apart_ = true;
  CKPT_TRY(memory_candidate_, ops_.allocate(patches_ * v_.hidden_size), "patches");
  x_candidate_ = {memory_candidate_.data(), patches_, v_.hidden_size, v_.hidden_size};
  CKPT_TRY_VOID(ops_.fill(x_candidate_, 0), "patches");
  return ops_.add(x_candidate_, x_reference_, Rounding::none);
}

template <class Weights, class Step>
Result<void> Tower::both(const Weights& reference, const Weights& candidate, Step step) {
  if (!same(reference, candidate)) {
    CKPT_TRY_VOID(part_ways(), "candidate");
  }
  for (std::size_t i = 0; i < images_.size(); ++i) {
    if (a_.stop.stop_requested()) return fail(ErrorKind::cancelled, "stopped");
    const Span& span = spans_[i];
    const WorkspaceScope scope(workspace_);
    CKPT_TRY_VOID(step(reference, x_reference_.slice(span.first, span.count), i, false),
                  "reference");
    if (!apart_) continue;
    const WorkspaceScope inner(workspace_);
    CKPT_TRY_VOID(step(candidate, x_candidate_.slice(span.first, span.count), i, true),
                  "candidate");
  }
  return {};
}

// Rounds in place.
Result<void> Tower::round(const Rows& x) {
  if (rounding_ == Rounding::none) return {};
  const std::vector<float> zero(static_cast<std::size_t>(x.cols));
  return ops_.add_bias(x, zero, rounding_);
}

// y = rd(x W^T + bias): one rounding, after the bias.
Result<void> Tower::linear(const Biased& w, const Rows& x, const Rows& y) {
  const kernels::GemmPart part{w.linear.matrix.get(), y};
  CKPT_TRY_VOID(ops_.gemm({x, {&part, 1}, Rounding::none, rounding_ == Rounding::bf16}), "linear");
  return ops_.add_bias(y, w.bias, rounding_);
}

Result<void> Tower::layer_norm(const LayerNorm& w, const Rows& x, const Rows& y) {
  return ops_.layer_norm(
      {.x = x, .y = y, .weight = w.weight, .bias = w.bias, .eps = kEpsilon, .rounding = rounding_});
}

// The learned table, interpolated to the grid of the image; weights and sums in f32.
Result<std::vector<float>> Tower::places(const EmbedWeights& w, const Image& image) const {
  const std::int64_t width = v_.hidden_size;
  const auto side =
      static_cast<std::int64_t>(std::sqrt(static_cast<double>(v_.num_position_embeddings)));
  if (static_cast<std::int64_t>(w.places.size()) < side * side * width) {
    return fail(ErrorKind::internal, "the table of positions is too small");
  }
  std::vector<float> out;
  for (const Place3& place : patch_places(image, v_.spatial_merge_size)) {
    const Taps r = taps_of(place.height, image.height, side);
    const Taps c = taps_of(place.width, image.width, side);
    const float* table = w.places.data();
    const float* rows[] = {
        table + (r.low * side + c.low) * width, table + (r.low * side + c.high) * width,
        table + (r.high * side + c.low) * width, table + (r.high * side + c.high) * width};
    const float weights[] = {r.weight_low * c.weight_low, r.weight_low * c.weight_high,
                             r.weight_high * c.weight_low, r.weight_high * c.weight_high};
    for (std::int64_t b = 0; b < width; ++b) {
      float sum = 0;
      for (std::size_t i = 0; i < 4; ++i) sum += rows[i][b] * weights[i];
      out.push_back(sum);
    }
  }
  return out;
}

Result<void> Tower::embed(const EmbedWeights& w, const Image& image, const Rows& x) {
  const std::vector<float> pixels = image.patches();
  const std::int64_t row = w.proj.linear.matrix->k();
  if (static_cast<std::int64_t>(pixels.size()) != x.rows * row) {
    return fail(ErrorKind::internal, "the patches of an image have another size");
  }
  for (std::int64_t begin = 0; begin < x.rows; begin += kBlockRows) {
    const std::int64_t count = std::min(kBlockRows, x.rows - begin);
    const WorkspaceScope scope(workspace_);
    CKPT_TRY(const Rows part, workspace_.take(count, row), "patches");
    CKPT_TRY_VOID(
        ops_.write(part, std::span(pixels).subspan(static_cast<std::size_t>(begin * row),
                                                   static_cast<std::size_t>(count * row))),
        "patches");
    CKPT_TRY_VOID(round(part), "patches");
    CKPT_TRY_VOID(linear(w.proj, part, x.slice(begin, count)), "patch_embed");
  }
  CKPT_TRY(const std::vector<float> learned, places(w, image), "pos_embed");
  CKPT_TRY(const Rows at, workspace_.take(x.rows, x.cols), "pos_embed");
  CKPT_TRY_VOID(ops_.write(at, learned), "pos_embed");
  CKPT_TRY_VOID(round(at), "pos_embed");
  return ops_.add(x, at, rounding_);
}

Result<void> Tower::attend(const BlockWeights& w, const Rows& x, const RopeRows& turn) {
  const std::int64_t heads = v_.num_heads;
  const std::int64_t dim = x.cols / heads;
  CKPT_TRY(const Rows n, workspace_.take(x.rows, x.cols), "attention");
  CKPT_TRY(const Rows qkv, workspace_.take(x.rows, 3 * x.cols), "attention");
  CKPT_TRY_VOID(layer_norm(w.norm1, x, n), "norm1");
  CKPT_TRY_VOID(linear(w.qkv, n, qkv), "qkv");
  const auto part = [&](std::int64_t i) {
    return Heads{qkv.data + i * x.cols, x.rows, heads, dim, qkv.stride, dim};
  };
  const std::int64_t starts[] = {0, x.rows};
  for (const std::int64_t i : {0, 1}) {
    // Turned in f32 and rounded once, unlike the text's.
    CKPT_TRY_VOID(ops_.rope({part(i), turn.cos, turn.sin, starts, Rounding::none}), "rope");
    CKPT_TRY_VOID(round({qkv.data + i * x.cols, x.rows, x.cols, qkv.stride}), "rope");
  }
  CKPT_TRY(const Rows o, workspace_.take(x.rows, x.cols), "attention");
  CKPT_TRY_VOID(ops_.full_attention({part(0), part(1), part(2),
                                     Heads{o.data, o.rows, heads, dim, o.stride, dim},
                                     1.0F / std::sqrt(static_cast<float>(dim)), starts, rounding_}),
                "attention");
  CKPT_TRY_VOID(linear(w.proj, o, n), "proj");
  return ops_.add(x, n, rounding_);
}

Result<void> Tower::mlp(const BlockWeights& w, const Rows& x) {
  for (std::int64_t begin = 0; begin < x.rows; begin += kBlockRows) {
    const Rows part = x.slice(begin, std::min(kBlockRows, x.rows - begin));
    const WorkspaceScope scope(workspace_);
    CKPT_TRY(const Rows n, workspace_.take(part.rows, part.cols), "mlp");
    CKPT_TRY(const Rows inner, workspace_.take(part.rows, w.fc1.linear.matrix->n()), "mlp");
    CKPT_TRY_VOID(layer_norm(w.norm2, part, n), "norm2");
    CKPT_TRY_VOID(linear(w.fc1, n, inner), "fc1");
    CKPT_TRY_VOID(ops_.gelu(inner, kernels::Gelu::tanh, rounding_), "gelu");
    CKPT_TRY_VOID(linear(w.fc2, inner, n), "fc2");
    CKPT_TRY_VOID(ops_.add(part, n, rounding_), "residual");
  }
  return {};
}

Result<void> Tower::block(const BlockWeights& w, const Rows& x, const RopeRows& turn) {
  {
    const WorkspaceScope scope(workspace_);
    CKPT_TRY_VOID(attend(w, x, turn), "attention");
  }
  return mlp(w, x);
}

// The norm is per patch; then the patches of a block stand side by side in one row.
Result<void> Tower::merge(const MergerWeights& w, const Rows& x, std::span<float> out) {
  const std::int64_t unit = v_.spatial_merge_size * v_.spatial_merge_size;
  CKPT_TRY(const Rows n, workspace_.take(x.rows, x.cols), "merger");
  CKPT_TRY_VOID(layer_norm(w.norm, x, n), "norm");
  const Rows joined{n.data, x.rows / unit, unit * x.cols, unit * x.cols};
  CKPT_TRY(const Rows inner, workspace_.take(joined.rows, joined.cols), "merger");
  CKPT_TRY_VOID(linear(w.fc1, joined, inner), "fc1");
  CKPT_TRY_VOID(ops_.gelu(inner, kernels::Gelu::erf, rounding_), "gelu");
  CKPT_TRY(const Rows y, workspace_.take(joined.rows, w.fc2.linear.matrix->n()), "merger");
  CKPT_TRY_VOID(linear(w.fc2, inner, y), "fc2");
  return ops_.read(y, out);
}

Result<VisionRows> Tower::run() {
  CKPT_TRY_VOID(prepare(), "images");
  const Loader reference(a_.pair.reference, a_);
  const Loader candidate(a_.pair.candidate, a_);
  {
    CKPT_TRY(const EmbedWeights r, reference.embed(), "reference");
    CKPT_TRY(const EmbedWeights c, candidate.embed(), "candidate");
    CKPT_TRY_VOID(both(r, c,
                       [&](const EmbedWeights& w, const Rows& x, std::size_t i, bool) {
                         return embed(w, images_[i], x);
                       }),
                  "patches");
  }
  for (std::int64_t j = 0; j < v_.depth; ++j) {
    CKPT_TRY(const BlockWeights r, reference.block(j), "reference");
    CKPT_TRY(const BlockWeights c, candidate.block(j), "candidate");
    CKPT_TRY_VOID(both(r, c,
                       [&](const BlockWeights& w, const Rows& x, std::size_t i, bool) {
                         return block(w, x, spans_[i].turn.rows);
                       }),
                  fmt::format("block {}", j));
  }
  const std::int64_t unit = v_.spatial_merge_size * v_.spatial_merge_size;
  VisionRows out;
  out.reference.resize(static_cast<std::size_t>(patches_ / unit * v_.out_hidden_size));
  out.candidate.resize(out.reference.size());
  CKPT_TRY(const MergerWeights r, reference.merger(), "reference");
  CKPT_TRY(const MergerWeights c, candidate.merger(), "candidate");
  CKPT_TRY_VOID(both(r, c,
                     [&](const MergerWeights& w, const Rows& x, std::size_t i, bool other) {
                       const std::int64_t first = spans_[i].first / unit * v_.out_hidden_size;
                       const std::int64_t count = spans_[i].count / unit * v_.out_hidden_size;
                       return merge(w, x,
                                    std::span(other ? out.candidate : out.reference)
                                        .subspan(static_cast<std::size_t>(first),
                                                 static_cast<std::size_t>(count)));
                     }),
                "merger");
  if (!apart_) out.candidate = out.reference;
  return out;
}

}  // namespace

Result<void> check_vision(const config::VisionConfig& v) {
  if (v.hidden_act != "gelu_pytorch_tanh") {
    return fail(ErrorKind::unsupported,
                fmt::format("vision hidden_act `{}` is not computed", shown(v.hidden_act, 40)));
  }
  if (v.deepstack) {
    return fail(ErrorKind::unsupported, "deepstack_visual_indexes is not computed");
  }
  if (v.hidden_size % v.num_heads != 0 || v.hidden_size / v.num_heads % 4 != 0) {
    return fail(ErrorKind::format,
                "vision hidden_size does not split into heads of a multiple "
                "of 4");
  }
  return {};
}

std::vector<Place3> places_of(std::int64_t tokens, std::span<const Image> images,
                              const config::VisionConfig& vision) {
  const std::int64_t merge = vision.spatial_merge_size;
  std::vector<Place3> out;
  std::int64_t next = 0;
  const auto text_to = [&](std::int64_t end) {
    while (static_cast<std::int64_t>(out.size()) < end) {
      out.push_back({next, next, next});
      ++next;
    }
  };
  for (const Image& image : images) {
    text_to(image.position);
    for (std::int64_t r = 0; r < image.height / merge; ++r) {
      for (std::int64_t c = 0; c < image.width / merge; ++c) {
        out.push_back({next, next + r, next + c});
      }
    }
    next += std::max(image.height, image.width) / merge;
  }
  text_to(tokens);
  return out;
}

Result<VisionRows> run_vision(const VisionArgs& args, std::span<const Image> images) {
  CKPT_TRY_VOID(check_vision(args.vision), "vision tower");
  Tower tower(args, images);
  return tower.run();
}

std::uint64_t vision_token_bytes(const config::VisionConfig& v) {
  const std::int64_t unit = v.spatial_merge_size * v.spatial_merge_size;
  const std::int64_t pixels = v.in_channels * v.temporal_patch_size * v.patch_size * v.patch_size;
  // Both streams, the widest workspace (norm, q, k, v, output), angles, and the rows themselves.
  return static_cast<std::uint64_t>(4 *
                                    (unit * (8 * v.hidden_size + pixels) + 2 * v.out_hidden_size));
}

}  // namespace ckpt::forward
