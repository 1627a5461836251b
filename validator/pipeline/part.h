#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "validator/metrics/record.h"
#include "validator/pipeline/kl.h"
#include "validator/results/results.h"

namespace ckpt::pipeline {

/// Which share of the sequences a run takes: the `index`-th of `count` (from 1), as even as they
/// go.
struct Shard {
  std::uint32_t index = 1;
  std::uint32_t count = 1;
};

/// Parses `2/8`. Errors: usage.
[[nodiscard]] Result<Shard> parse_shard(std::string_view text);

/// Sequences [first, second) of a shard.
[[nodiscard]] std::pair<std::size_t, std::size_t> shard_range(const Shard& shard,
                                                              std::size_t sequences);

/// What a shard measured, for merge().
struct Part {
  std::string key;  ///< run_key() over all sequences; parts go together only when it is equal
  Shard shard;
  results::Results results;  ///< without metrics
  std::vector<config::LayerType> layer_types;
  metrics::Record record;
  std::vector<std::int32_t> tokens;  ///< ids of all its sequences, one after the other
};

/// Writes a safetensors file in one step; an existing one is replaced. Errors: io.
[[nodiscard]] Result<void> save_part(const std::string& path, const Part& part);
/// Errors: io, format.
[[nodiscard]] Result<Part> load_part(const std::string& path);

/// Puts all parts of a run together, in any order: the results of one run over all sequences, to
/// the bit. Errors: usage (parts of different runs, one missing or given twice).
[[nodiscard]] Result<Part> merge_parts(std::vector<Part> parts);

}  // namespace ckpt::pipeline
