#pragma once
// `fix --output`: the same weights under the names, and in the files, that all loaders read.

#include <cstdint>
#include <stop_token>
#include <string>
#include <vector>

#include "validator/base/progress.h"
#include "validator/container/writer.h"
#include "validator/pipeline/opened.h"
#include "validator/pipeline/repair.h"

namespace ckpt::pipeline {

/// Where the bytes of a new tensor come from: a stored tensor seen as rows of bytes, of which rows
/// [row_begin, row_end) and in each the bytes [byte_begin, byte_end) are taken.
struct StoredSlice {
  std::uint32_t tensor = 0;
  std::uint64_t row_bytes = 0;
  std::uint64_t row_begin = 0;
  std::uint64_t row_end = 0;
  std::uint64_t byte_begin = 0;
  std::uint64_t byte_end = 0;
  bool from_base = false;
  std::vector<std::byte> instead;  ///< these bytes are written when there are any
};

struct RelaidTensor {
  container::NewTensor tensor;
  StoredSlice from;
};

/// One file of the new repo.
struct RelaidShard {
  std::string name;
  std::uint64_t bytes = 0;  ///< of the data section
  std::vector<RelaidTensor> tensors;
};

struct RelayPlan {
  std::vector<RelaidShard> shards;
  std::uint64_t renamed = 0;    ///< tensors that get another name
  std::uint64_t split = 0;      ///< joined tensors cut in two
  std::uint64_t from_base = 0;  ///< tensors taken from the base
  std::uint64_t strangers = 0;  ///< tensors without a place in the architecture, kept as they are
  std::vector<std::string> refused;  ///< what could not be cut, in words

  [[nodiscard]] bool changes_anything() const { return renamed + split + from_base > 0; }
};

/// Plans where every tensor goes: names of the model class, `experts.gate_up_proj.{e}` and its like
/// cut into gate_proj and up_proj along the output axis (codes, scales and zeros bit for bit),
/// packed routers and shared-expert gates replaced by the base's, files of at most `shard_bytes`.
/// `base` may be null. Errors: unsupported (no blueprint).
[[nodiscard]] Result<RelayPlan> plan_relay(const OpenedRepo& opened, const OpenedRepo* base,
                                           std::uint64_t shard_bytes);

struct RelayArgs {
  const OpenedRepo& opened;
  const OpenedRepo* base = nullptr;
  const RelayPlan& plan;
  const std::vector<FileChange>& changes;  ///< repaired text files
  std::string output;                      ///< must not exist, or be an empty folder
  Progress& progress;
  std::stop_token stop;
};

/// Writes the new repo: into a folder beside `output` that is renamed when it is whole. Memory:
/// 16 MiB, whatever the size of a tensor. Errors: usage (output exists), io, cancelled.
[[nodiscard]] Result<void> write_relay(const RelayArgs& args);

}  // namespace ckpt::pipeline
