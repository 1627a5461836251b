#pragma once
// Products of BF16 by BF16 with f32 sums, by the dot-product instruction of AVX512_BF16: twice the
// rate of f32. Two numbers of consecutive k ride in one 32-bit word, the even k in the low half; a
// missing last k is 0. Sums run in ascending pairs of k; subnormals count as 0 inside.

#include <cstdint>

#include "kernels/cpu/level.h"

namespace ckpt::kernels::cpu {

/// c [m, 32] (+)= a [k2, m] * b [k2, 32], both in pairs; only the first `n` columns are stored.
struct MultiplyPairs {
  std::int64_t m = 0;  ///< at most kRowBlock
  std::int64_t n = 0;  ///< at most kPanel
  std::int64_t pairs = 0;
  const std::uint32_t* a = nullptr;
  std::int64_t a_col = 0;  ///< words between pairs
  const std::uint32_t* b = nullptr;
  float* c = nullptr;
  std::int64_t c_row = 0;
  bool accumulate = false;
  bool round = false;  ///< the sums, to BF16
};

struct Bf16Kernels {
  void (*multiply)(const MultiplyPairs&);
  /// As Level::transpose_bf16, to pairs [ceil(k / 2), 32].
  void (*transpose)(const TransposeArgs&, std::uint32_t* to);
  /// As Level::decode with rounding to BF16, to pairs; only where DecodeArgs::whole_words() holds.
  void (*decode)(const DecodeArgs&, std::uint32_t* to);
  /// A panel [k, 32] of numbers that are BF16 exactly, to pairs.
  void (*pack)(const float* from, std::int64_t k, std::uint32_t* to);
};

/// Null when not built or not supported by this machine.
[[nodiscard]] const Bf16Kernels* bf16_kernels();

}  // namespace ckpt::kernels::cpu
