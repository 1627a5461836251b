#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string_view>
#include <utility>

#include "kernels/ops.h"
#include "validator/forward/mode.h"

namespace ckpt::forward {

/// Named points of observation, in the order of computation: every rounding point that is not
/// bounded by another one (a sigmoid, a product with one) has its name here.
enum class Point : std::uint8_t {
  embedding,
  input_norm,
  gdn_qkv,
  gdn_z,
  gdn_b,
  gdn_a,
  gdn_conv,
  gdn_silu,
  gdn_o,
  gdn_gated,
  gdn_out,
  attn_q,
  attn_k,
  attn_v,
  attn_q_rope,
  attn_k_rope,
  attn_o,
  attn_gated,
  attn_out,
  mixer_residual,
  post_norm,
  router,
  expert_gate,
  expert_up,
  expert_product,
  expert_out,
  shared_gate,
  shared_up,
  shared_product,
  shared_out,
  mlp_out,
  residual,
  final_norm,
  logits,
};
[[nodiscard]] std::string_view point_name(Point point);  ///< `GDN conv`, `expert out`, ...

/// What was seen at one point of one layer, by stream. Token indices run over all sequences.
struct TapRecord {
  std::array<kernels::Range, 2> range;
  std::array<std::int64_t, 2> first_token{-1, -1};  ///< smallest with a non-finite value
  std::array<float, 2> first_value{0, 0};           ///< that value: NaN or an infinity
};

/// All records of a run, keyed by (layer, point), so in the order of computation: layer -1 is
/// the embedding, the number of layers stands for the final norm and the logits.
class Taps {
 public:
  using Key = std::pair<int, Point>;
  /// `token`: of the first non-finite value, `value`; -1 when there is none.
  void merge(Key key, Stream stream, const kernels::Range& range, std::int64_t token,
             float value = 0);

  [[nodiscard]] const std::map<Key, TapRecord>& records() const { return records_; }

 private:
  std::map<Key, TapRecord> records_;
};

/// Where the rows at a tap come from: which stream and layer, and which token each row is.
struct TapSource {
  Taps* taps = nullptr;  ///< null: nothing is recorded (evaluations on the other stream's inputs)
  Stream stream = Stream::reference;
  int layer = -1;
  std::int64_t first_token = 0;             ///< of row 0
  std::span<const std::int64_t> row_token;  ///< relative to first_token, when rows are scattered
  std::int64_t skip_rows = 0;               ///< leading rows that belong to another evaluation

  [[nodiscard]] Result<void> see(kernels::Ops& ops, Point point, const kernels::Rows& x) const;
};

}  // namespace ckpt::forward
