#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "validator/base/bytes.h"
#include "validator/base/dtype.h"
#include "validator/base/result.h"
#include "validator/quant/layout.h"

namespace ckpt::weights {

/// One module's weight as stored, cut out of whatever spelling the file uses: plain floats row by
/// row, or packed codes with their scales. Owns its bytes; const methods are thread-safe.
struct Parameter {
  std::string name;  ///< blueprint name, for messages; safe to show
  Shape shape;       ///< of the weight; rows are the first axis
  bool packed = false;
  Dtype dtype = Dtype::bf16;  ///< plain: F32, BF16 or F16
  Bytes data;                 ///< plain rows, or the words of packed codes
  quant::Layout layout;       ///< packed only
  Bytes zeros;
  Bytes scales;
  Bytes g_idx;  ///< empty when it says k div group_size

  [[nodiscard]] std::uint64_t rows() const { return shape.empty() ? 1 : shape[0]; }

  /// Elements of one row.
  [[nodiscard]] std::uint64_t row_size() const;

  [[nodiscard]] std::uint64_t bytes() const {
    return data.size() + zeros.size() + scales.size() + g_idx.size();
  }

  /// Decodes rows [begin, end) to f32, unrounded. Errors: internal (sizes), format (packed).
  [[nodiscard]] Result<void> decode(std::uint64_t begin, std::uint64_t end,
                                    std::span<float> out) const;
  /// The whole weight in f32.
  [[nodiscard]] Result<std::vector<float>> decode_all() const;
};

/// True when both hold the same bytes in the same format, so that they compute the same bits.
[[nodiscard]] bool same_bytes(const Parameter& a, const Parameter& b);

}  // namespace ckpt::weights
