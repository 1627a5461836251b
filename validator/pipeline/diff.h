#pragma once
// `diff`: what differs between two checkpoints.

#include <cstdint>
#include <stop_token>
#include <string>
#include <vector>

#include "validator/base/progress.h"
#include "validator/pipeline/opened.h"

namespace ckpt::pipeline {

enum class DiffKind : std::uint8_t { config, scheme, tensors, values };
[[nodiscard]] std::string_view diff_kind_name(DiffKind kind);

/// One difference, or many of one kind: names that differ in their numbers only are counted
/// together. `a` and `b` are what the two hold, safe to show; empty where one holds nothing.
struct Difference {
  DiffKind kind = DiffKind::config;
  std::string where;  ///< pointer with its file, module pattern or tensor pattern; numbers as `*`
  std::string first;  ///< the first of them, with its numbers
  std::uint64_t count = 1;
  std::string a;
  std::string b;
};

struct DiffArgs {
  const OpenedRepo& a;
  const OpenedRepo& b;
  bool config = true;
  bool scheme = true;
  bool tensors = true;
  bool values = false;        ///< read and compare the bytes of tensors that both hold
  bool ignore_dtype = false;  ///< two dtypes are no difference; values of such tensors are skipped
  Progress& progress;
  std::stop_token stop;
};

struct DiffReport {
  std::vector<Difference> differences;  ///< by kind, then by place
  std::uint64_t tensors_compared = 0;   ///< held by both
  std::uint64_t values_compared = 0;
  std::uint64_t bytes_compared = 0;
};

/// Compares JSON files key by key (config.json, quantization_config.json, generation_config.json,
/// tokenizer_config.json), the stored scheme of each module, and tensors by name. Memory: two
/// buffers of 4 MiB, whatever the size. Errors: io, cancelled.
[[nodiscard]] Result<DiffReport> diff(const DiffArgs& args);

}  // namespace ckpt::pipeline
