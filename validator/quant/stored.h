#pragma once
// What is stored for each module of a blueprint, read from tensor names, dtypes and shapes alone,
// independent of the quantization config (formats, section 7). Comparing the two is worth more than
// any single rule.

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "validator/arch/blueprint.h"
#include "validator/container/checkpoint.h"

namespace ckpt::quant {

enum class Format : std::uint8_t {
  absent,     ///< nothing stored
  plain,      ///< .weight in a 16- or 32-bit float
  gptq,       ///< .qweight [K*b/32, N], .qzeros, .scales
  awq,        ///< .qweight [K, N/8]
  ct_packed,  ///< .weight_packed I32 [N, ceil(K*b/32)], .weight_scale
  ct_int,     ///< .weight I8, .weight_scale
  fp8_block,  ///< .weight F8_E4M3, .weight_scale_inv
  fp8,        ///< .weight F8_E4M3, .weight_scale
  nvfp4,
  mxfp4,
  unknown,  ///< packed tensors in no layout known here
};
[[nodiscard]] std::string_view format_name(Format format);

[[nodiscard]] inline bool is_quantized(Format f) {
  return f != Format::absent && f != Format::plain;
}

using arch::kMembers;
using arch::Member;
using arch::member_name;

/// What is stored for one module. Tensors of joined spellings are shared between modules: with
/// Spelling::stacked this module is slice `expert` of the first axis, with gate_up_* gate and up
/// are the two halves of the output axis.
struct Stored {
  Format format = Format::absent;
  arch::Spelling spelling = arch::Spelling::plain;
  int bits = 0;              ///< from the shapes; 0 when they do not give it
  std::uint64_t groups = 0;  ///< groups along the inputs, from the scales; 0 unknown
  /// From the shapes: -1 one group (per channel), 0 unknown; where ceil(K/g) has several solutions
  /// the one that divides K. Compare a config's g by ceil(K/g) with `groups` instead.
  std::int64_t group_size = 0;
  bool joined = false;                          ///< gate and up are the halves of one output axis
  bool both = false;                            ///< plain and packed members together
  std::array<std::int32_t, kMembers> tensor{};  ///< index into Checkpoint::tensors(), -1 absent

  Stored() { tensor.fill(-1); }

  [[nodiscard]] std::int32_t at(Member m) const { return tensor[static_cast<std::size_t>(m)]; }
};

/// A stored tensor that has no place in the blueprint.
struct Stranger {
  std::uint32_t tensor = 0;
  arch::Placement placement;
};

/// The stored side of a checkpoint, in blueprint order.
struct StoredModel {
  std::vector<Stored> modules;  ///< one per blueprint module
  std::vector<Stranger> strangers;
  std::array<std::uint64_t, 6> prefixes{};   ///< text tensors per arch::Prefix
  std::array<std::uint64_t, 5> spellings{};  ///< expert tensors per arch::Spelling
};

[[nodiscard]] StoredModel match_stored(const arch::Blueprint& blueprint,
                                       const container::Checkpoint& checkpoint);

}  // namespace ckpt::quant
