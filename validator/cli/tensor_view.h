#pragma once
// Tensors on the screen: a table of them, or one weight with its numbers.

#include <span>
#include <string>

#include "validator/pipeline/inspect.h"

namespace ckpt::cli {

/// Name, dtype, shape, bytes and, for what belongs to a module, how it is stored; `most` rows.
[[nodiscard]] std::string tensor_table(const pipeline::OpenedRepo& opened,
                                       std::span<const std::uint32_t> tensors, std::size_t most);

/// The same as JSON, all rows.
[[nodiscard]] std::string tensor_json(const pipeline::OpenedRepo& opened,
                                      std::span<const std::uint32_t> tensors);

/// One weight: how it is stored, statistics, error against the reference, histogram, values.
[[nodiscard]] std::string weight_text(const pipeline::OpenedRepo& opened, std::uint32_t module,
                                      const pipeline::InspectedWeight& weight,
                                      const pipeline::Slice& slice);
[[nodiscard]] std::string weight_json(const pipeline::OpenedRepo& opened, std::uint32_t module,
                                      const pipeline::InspectedWeight& weight);

}  // namespace ckpt::cli
