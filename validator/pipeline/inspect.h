#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "validator/pipeline/opened.h"
#include "validator/weights/statistics.h"
#include "validator/weights/summary.h"

namespace ckpt::pipeline {

/// Tensors whose name holds `pattern`, in which `*` stands for anything; indices, by name.
[[nodiscard]] std::vector<std::uint32_t> find_tensors(const OpenedRepo& opened,
                                                      std::string_view pattern);

/// The module that a name means: its own name, or that of one of its stored tensors.
[[nodiscard]] std::optional<std::uint32_t> find_module(const OpenedRepo& opened,
                                                       std::string_view name);

/// Rows and columns of a weight, ends exclusive.
struct Slice {
  std::uint64_t row_begin = 0, row_end = 8;
  std::uint64_t column_begin = 0, column_end = 8;
};

/// Parses `0:8,16:24`. Errors: usage.
[[nodiscard]] Result<Slice> parse_slice(std::string_view text);

/// One module's weight, read and decoded.
struct InspectedWeight {
  weights::Parameter parameter;
  weights::WeightSummary summary;
  std::optional<weights::WeightError> error;  ///< against the reference
};

/// Reads a module; with a reference also the same module there. Errors: not_found, unsupported,
/// format, io; each names the module.
[[nodiscard]] Result<InspectedWeight> inspect_weight(const OpenedRepo& opened, std::uint32_t module,
                                                     const OpenedRepo* reference);

/// Writes the decoded weight in f32 as .npy or .safetensors, by the ending; the file must not
/// exist. Errors: usage (another ending, or it exists), io.
[[nodiscard]] Result<void> save_weight(const weights::Parameter& weight, const std::string& path);

}  // namespace ckpt::pipeline
