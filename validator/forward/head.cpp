// Logits of both models, a block of positions at a time, in tiles of the vocabulary.

#include "validator/forward/head.h"

#include <algorithm>

namespace ckpt::forward {

using kernels::Rows;

namespace {

constexpr std::int64_t kTileRows = 8192;

}  // namespace

Result<void> Head::open() {
  CKPT_TRY(reference_, head_module(pair_.reference), "head");
  CKPT_TRY(candidate_, head_module(pair_.candidate), "head");
  CKPT_TRY_VOID(pair_.reference.check(reference_), "reference");
  CKPT_TRY_VOID(pair_.candidate.check(candidate_), "candidate");
  vocab_ = pair_.reference.config().text.vocab_size;
  // Packed codes are read whole: their rows do not lie together.
  const bool plain = pair_.reference.is_plain(reference_) && pair_.candidate.is_plain(candidate_);
  tile_rows_ = plain ? std::min(kTileRows, vocab_) : vocab_;
  if (!resident_) return {};
  WeightFeed feed(ops_, rounding_, requests(), read_ahead_bytes_);
  for (std::int64_t begin = 0; begin < vocab_; begin += tile_rows_) {
    CKPT_TRY(Tile tile, next_tile(feed, begin), "head");
    tiles_.push_back(std::move(tile));
  }
  bytes_read_ += feed.bytes_read();
  return {};
}

std::vector<weights::Request> Head::requests() const {
  std::vector<weights::Request> out;
  const bool whole = tile_rows_ == vocab_;
  for (std::int64_t begin = 0; begin < vocab_; begin += tile_rows_) {
    const auto end = static_cast<std::uint64_t>(std::min(vocab_, begin + tile_rows_));
    const auto first = static_cast<std::uint64_t>(begin);
    out.push_back({&pair_.reference, reference_, first, whole ? 0 : end});
    out.push_back({&pair_.candidate, candidate_, first, whole ? 0 : end});
  }
  return out;
}

Result<Head::Tile> Head::next_tile(WeightFeed& feed, std::int64_t begin) {
  Tile tile;
  tile.begin = begin;
  CKPT_TRY(tile.reference, feed.next_linear(), "reference");
  CKPT_TRY(tile.candidate, feed.next_linear(), "candidate");
  tile.same = weights::same_bytes(tile.reference.parameter, tile.candidate.parameter);
  if (tile.same) tile.candidate = {};
  return tile;
}

Result<void> Head::apply(const Context& ctx, const Tile& tile, const Rows& x, std::int64_t split,
                         const Rows& logits) {
  const std::int64_t n = tile.reference.matrix->n();
  const auto part_of = [&](const Rows& rows) {
    return Rows{rows.data + tile.begin, rows.rows, n, rows.stride};
  };
  const kernels::GemmPart both{tile.reference.matrix.get(), part_of(logits)};
  if (tile.same) return ops_.gemm({x, {&both, 1}, ctx.rounding, ctx.bf16()});
  const std::int64_t rest = x.rows - split;
  const kernels::GemmPart r{tile.reference.matrix.get(), part_of(logits.slice(0, split))};
  const kernels::GemmPart c{tile.candidate.matrix.get(), part_of(logits.slice(split, rest))};
  CKPT_TRY_VOID(ops_.gemm({x.slice(0, split), {&r, 1}, ctx.rounding, ctx.bf16()}), "reference");
  return ops_.gemm({x.slice(split, rest), {&c, 1}, ctx.rounding, ctx.bf16()});
}

Result<void> Head::logits(const Context& ctx, const Rows& x, std::int64_t split,
                          const Rows& logits) {
  if (resident_) {
    for (const Tile& tile : tiles_) {
      CKPT_TRY_VOID(ctx.check_stop(), "head");
      CKPT_TRY_VOID(apply(ctx, tile, x, split, logits), "head");
    }
    return {};
  }
  WeightFeed feed(ops_, rounding_, requests(), read_ahead_bytes_);
  for (std::int64_t begin = 0; begin < vocab_; begin += tile_rows_) {
    CKPT_TRY_VOID(ctx.check_stop(), "head");
    CKPT_TRY(const Tile tile, next_tile(feed, begin), "head");
    CKPT_TRY_VOID(apply(ctx, tile, x, split, logits), "head");
  }
  bytes_read_ += feed.bytes_read();
  return {};
}

namespace {

// The streams of one block of positions, those with the reference's head first.
struct HeadRows {
  std::vector<Rows> from;           // [T, H] each
  std::vector<std::size_t> of;      // variant of each, kMain and kMain + 1 for the main streams
  std::size_t reference_heads = 0;  // how many take the reference's head

  static constexpr std::size_t kMain = std::size_t{1} << 32;
};

HeadRows head_rows(const Context& ctx, const HeadStage& stage, const Rows& reference,
                   const Rows& candidate) {
  HeadRows out;
  const int layer = static_cast<int>(ctx.config.num_hidden_layers);
  const std::size_t variants = stage.variants == nullptr ? 0 : stage.variants->size();
  for (const Stream stream : {Stream::reference, Stream::candidate}) {
    const bool first = stream == Stream::reference;
    out.from.push_back(first ? reference : candidate);
    out.of.push_back(HeadRows::kMain + (first ? 0 : 1));
    for (std::size_t v = 0; v < variants; ++v) {
      if (!stage.variants->alive(v)) continue;
      if (stage.variants->variant(v).source(layer, arch::ModuleClass::head) != stream) continue;
      out.from.push_back(stage.variants->x(v));
      out.of.push_back(v);
    }
    if (first) out.reference_heads = out.from.size();
  }
  return out;
}

// Compares a variant with the reference, or says what is known of one that never left its stream.
Result<void> report_variants(const Context& ctx, const HeadStage& stage, const HeadRows& rows,
                             const Rows& logits, std::span<const std::int64_t> labels,
                             std::span<const kernels::Divergence> main) {
  if (stage.variants == nullptr) return {};
  const auto count = static_cast<std::int64_t>(main.size());
  const Rows z = logits.slice(0, count);
  std::vector<kernels::Divergence> out;
  for (std::size_t v = 0; v < stage.variants->size(); ++v) {
    if (!stage.variants->alive(v) && stage.variants->variant(v).follows == Stream::candidate) {
      stage.observer->on_variant(v, main);
      continue;
    }
    out.assign(main.size(), {});
    const auto at = std::find(rows.of.begin(), rows.of.end(), v);
    // One that never left the reference is the reference.
    const std::int64_t row = at == rows.of.end() ? 0 : (at - rows.of.begin()) * count;
    CKPT_TRY_VOID(ctx.ops.divergence({z, logits.slice(row, count), labels, out}), "divergence");
    stage.observer->on_variant(v, out);
  }
  return {};
}

}  // namespace

Result<void> compare_logits(const Context& ctx, Head& head, const HeadStage& stage,
                            const Rows& reference, const Rows& candidate) {
  std::vector<kernels::Divergence> out;
  const HeadRows streams = head_rows(ctx, stage, reference, candidate);
  const auto width = static_cast<std::int64_t>(streams.from.size());
  const auto reference_heads = static_cast<std::int64_t>(streams.reference_heads);
  for (std::int64_t row = 0; row < reference.rows; row += stage.positions) {
    CKPT_TRY_VOID(ctx.check_stop(), "head");
    const std::int64_t count = std::min(stage.positions, reference.rows - row);
    const WorkspaceScope scope(ctx.workspace);
    CKPT_TRY(const Rows x, ctx.workspace.take(width * count, reference.cols), "head");
    CKPT_TRY(const Rows logits, ctx.workspace.take(width * count, ctx.config.vocab_size), "head");
    CKPT_TRY_VOID(ctx.ops.fill(x, 0), "head");
    for (std::int64_t s = 0; s < width; ++s) {
      const Rows from = streams.from[static_cast<std::size_t>(s)].slice(row, count);
      CKPT_TRY_VOID(ctx.ops.add(x.slice(s * count, count), from, kernels::Rounding::none), "head");
    }
    CKPT_TRY_VOID(head.logits(ctx, x, reference_heads * count, logits), "head");
    const Rows z = logits.slice(0, count);
    const Rows w = logits.slice(reference_heads * count, count);
    const std::int64_t first = stage.first_token + row;
    TapSource tap_r{.taps = stage.taps, .stream = Stream::reference, .first_token = first};
    tap_r.layer = static_cast<int>(ctx.config.num_hidden_layers);
    TapSource tap_c = tap_r;
    tap_c.stream = Stream::candidate;
    CKPT_TRY_VOID(tap_r.see(ctx.ops, Point::logits, z), "tap");
    CKPT_TRY_VOID(tap_c.see(ctx.ops, Point::logits, w), "tap");
    out.assign(static_cast<std::size_t>(count), {});
    const auto labels = stage.labels.subspan(static_cast<std::size_t>(row), out.size());
    CKPT_TRY_VOID(ctx.ops.divergence({z, w, labels, out}), "divergence");
    stage.observer->on_positions(first, out);
    CKPT_TRY_VOID(report_variants(ctx, stage, streams, logits, labels, out), "variants");
    CKPT_TRY_VOID(stage.observer->on_logits(first, ctx.ops, z, w), "observer");
  }
  return {};
}

}  // namespace ckpt::forward
