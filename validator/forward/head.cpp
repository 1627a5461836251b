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

Result<void> Head::apply(const Context& ctx, const Tile& tile, const Rows& x, const Rows& logits) {
  const std::int64_t n = tile.reference.matrix->n();
  const auto part_of = [&](const Rows& rows) {
    return Rows{rows.data + tile.begin, rows.rows, n, rows.stride};
  };
  const kernels::GemmPart both{tile.reference.matrix.get(), part_of(logits)};
  if (tile.same) return ops_.gemm({x, {&both, 1}, ctx.rounding, ctx.bf16()});
  const std::int64_t half = x.rows / 2;
  const kernels::GemmPart r{tile.reference.matrix.get(), part_of(logits.slice(0, half))};
  const kernels::GemmPart c{tile.candidate.matrix.get(), part_of(logits.slice(half, half))};
  CKPT_TRY_VOID(ops_.gemm({x.slice(0, half), {&r, 1}, ctx.rounding, ctx.bf16()}), "reference");
  return ops_.gemm({x.slice(half, half), {&c, 1}, ctx.rounding, ctx.bf16()});
}

Result<void> Head::logits(const Context& ctx, const Rows& x, const Rows& logits) {
  if (resident_) {
    for (const Tile& tile : tiles_) {
      CKPT_TRY_VOID(ctx.check_stop(), "head");
      CKPT_TRY_VOID(apply(ctx, tile, x, logits), "head");
    }
    return {};
  }
  WeightFeed feed(ops_, rounding_, requests(), read_ahead_bytes_);
  for (std::int64_t begin = 0; begin < vocab_; begin += tile_rows_) {
    CKPT_TRY_VOID(ctx.check_stop(), "head");
    CKPT_TRY(const Tile tile, next_tile(feed, begin), "head");
    CKPT_TRY_VOID(apply(ctx, tile, x, logits), "head");
  }
  return {};
}

Result<void> compare_logits(const Context& ctx, Head& head, const HeadStage& stage,
                            const Rows& reference, const Rows& candidate) {
  std::vector<kernels::Divergence> out;
  for (std::int64_t row = 0; row < reference.rows; row += stage.positions) {
    CKPT_TRY_VOID(ctx.check_stop(), "head");
    const std::int64_t count = std::min(stage.positions, reference.rows - row);
    const WorkspaceScope scope(ctx.workspace);
    CKPT_TRY(const Rows x, ctx.workspace.take(2 * count, reference.cols), "head");
    CKPT_TRY(const Rows logits, ctx.workspace.take(2 * count, ctx.config.vocab_size), "head");
    CKPT_TRY_VOID(ctx.ops.fill(x, 0), "head");
    CKPT_TRY_VOID(
        ctx.ops.add(x.slice(0, count), reference.slice(row, count), kernels::Rounding::none),
        "head");
    CKPT_TRY_VOID(
        ctx.ops.add(x.slice(count, count), candidate.slice(row, count), kernels::Rounding::none),
        "head");
    CKPT_TRY_VOID(head.logits(ctx, x, logits), "head");
    const Rows z = logits.slice(0, count);
    const Rows w = logits.slice(count, count);
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
    CKPT_TRY_VOID(stage.observer->on_logits(first, ctx.ops, z, w), "observer");
  }
  return {};
}

}  // namespace ckpt::forward
