#pragma once
// Integer layouts as data, and the one decoder that reads them all (formats, sections 2 to 5).

#include <cstdint>
#include <span>

#include "validator/base/dtype.h"
#include "validator/base/result.h"
#include "validator/quant/stored.h"

namespace ckpt::quant {

/// Along which axis the codes of one word run.
enum class PackAxis : std::uint8_t { in, out };

/// How the integer codes of a linear W[N, K] are stored; enough to decode it. A new integer format
/// is a new description, not a new kernel.
struct IntLayout {
  unsigned bits = 4;                  ///< 1 to 8
  PackAxis pack_axis = PackAxis::in;  ///< GPTQ: in (down a column); AWQ: out
  bool words_row_is_out = false;      ///< words [N, K*b/32] (compressed-tensors), else [K*b/32, N]
  bool awq_order = false;             ///< nibbles in AWQ's order
  int code_offset = 0;                ///< subtracted from a code: 2^(b-1) for signed storage
  bool has_zeros = true;              ///< zero points are stored, else 0
  int zero_offset = 0;                ///< added to a stored zero: 1 in v1 files
  bool zeros_row_is_out = false;      ///< zeros [N*b/32, G] packed down N, else [G, N*b/32]
  bool scales_row_is_out = false;     ///< scales [N, G], else [G, N]
  Dtype scale_dtype = Dtype::f16;
  std::uint64_t n = 0;           ///< out-features
  std::uint64_t k = 0;           ///< in-features
  std::uint64_t groups = 1;      ///< G = ceil(K / group_size)
  std::uint64_t group_size = 0;  ///< K when per channel
};

/// Views of the stored tensors of one packed linear, whole. `g_idx` may be empty (then k div g).
struct PackedLinear {
  IntLayout layout;
  std::span<const std::byte> words;
  std::span<const std::byte> zeros;
  std::span<const std::byte> scales;
  std::span<const std::byte> g_idx;
};

/// Layout of a stored module from its shapes plus the config's conventions (v1 or v2 zeros, signed
/// offset). `zeros_v2`: see `stores_zero_plainly`. `config_group_size` decides when the
/// shapes allow several (K = 48 in 2 groups is 24 or 32). Errors: unsupported (formats not decoded
/// yet), format (shapes that contradict each other).
[[nodiscard]] Result<IntLayout> int_layout(const Stored& stored, const arch::Module& module,
                                           const container::Checkpoint& checkpoint, bool zeros_v2,
                                           std::int64_t config_group_size = 0);

/// Whether a config's packing stores z itself (v2) rather than z - 1 (formats, 3.3).
[[nodiscard]] bool stores_zero_plainly(const config::QuantConfig& quant);

/// Decodes rows [row_begin, row_end) of W to `out` [rows, K] in f32: scale * (code - zero), one
/// rounding. Sizes must fit the layout (checked). Errors: format (g_idx out of range, sizes).
[[nodiscard]] Result<void> decode_rows(const PackedLinear& linear, std::uint64_t row_begin,
                                       std::uint64_t row_end, std::span<float> out);

}  // namespace ckpt::quant
