#pragma once

#include <cstdint>
#include <vector>

#include "validator/forward/context.h"
#include "validator/forward/linear.h"
#include "validator/forward/modules.h"
#include "validator/forward/observer.h"
#include "validator/forward/variants.h"

namespace ckpt::forward {

/// The head of both checkpoints in tiles of the vocabulary. Tiles whose bytes are equal are held
/// once. Kept in memory when `resident`, else read again for every block of positions.
class Head {
 public:
  Head(const Pair& pair, kernels::Ops& ops, kernels::Rounding weight_rounding, bool resident,
       std::uint64_t read_ahead_bytes)
      : pair_(pair),
        ops_(ops),
        rounding_(weight_rounding),
        resident_(resident),
        read_ahead_bytes_(read_ahead_bytes) {}

  /// Finds the modules and, when resident, reads them. Errors: those of the weights.
  [[nodiscard]] Result<void> open();
  /// logits [P, V] = x [P, H] * W^T; the first `split` rows by the reference's head, the rest by
  /// the candidate's.
  [[nodiscard]] Result<void> logits(const Context& context, const kernels::Rows& x,
                                    std::int64_t split, const kernels::Rows& logits);

  /// Bytes of weights read so far.
  [[nodiscard]] std::uint64_t bytes_read() const { return bytes_read_; }

 private:
  struct Tile {
    std::int64_t begin = 0;
    Linear reference;
    Linear candidate;
    bool same = false;
  };

  [[nodiscard]] std::vector<weights::Request> requests() const;
  [[nodiscard]] Result<Tile> next_tile(WeightFeed& feed, std::int64_t begin);
  [[nodiscard]] Result<void> apply(const Context& context, const Tile& tile, const kernels::Rows& x,
                                   std::int64_t split, const kernels::Rows& logits);

  const Pair& pair_;
  kernels::Ops& ops_;
  kernels::Rounding rounding_;
  bool resident_;
  std::uint64_t read_ahead_bytes_;
  std::uint32_t reference_ = 0;
  std::uint32_t candidate_ = 0;
  std::int64_t vocab_ = 0;
  std::int64_t tile_rows_ = 0;
  std::vector<Tile> tiles_;
  std::uint64_t bytes_read_ = 0;
};

/// What the comparison of the logits needs beside the context.
struct HeadStage {
  std::int64_t first_token = 0;          ///< of the pass, over all sequences
  std::span<const std::int64_t> labels;  ///< next token of each position, -1 at a sequence's end
  std::int64_t positions = 16;           ///< per block
  Taps* taps = nullptr;
  Observer* observer = nullptr;
  const VariantStates* variants = nullptr;  ///< normalised already
};

/// Runs the head over normalised hidden states of the pass, [tokens, H] each, and reports the
/// divergence of every position.
[[nodiscard]] Result<void> compare_logits(const Context& context, Head& head,
                                          const HeadStage& stage, const kernels::Rows& reference,
                                          const kernels::Rows& candidate);

}  // namespace ckpt::forward
