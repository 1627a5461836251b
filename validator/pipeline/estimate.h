#pragma once
// `estimate`: memory that serving a checkpoint takes, from config and headers alone (architecture,
// sections 6 and 7).

#include <cstdint>
#include <vector>

#include "validator/pipeline/opened.h"

namespace ckpt::pipeline {

struct EstimateArgs {
  std::vector<std::uint64_t> contexts;   ///< tokens per sequence
  std::vector<std::uint64_t> sequences;  ///< at the same time
  std::uint64_t kv_bits = 16;            ///< 16 or 8
  std::uint64_t tensor_parallel = 1;     ///< GPUs that share every layer
  std::uint64_t batched_tokens = 8192;   ///< of one prefill step
};

/// One cell of context x sequences, bytes on each GPU.
struct EstimateRow {
  std::uint64_t context = 0;
  std::uint64_t sequences = 0;
  std::uint64_t kv_cache = 0;
  std::uint64_t recurrent = 0;  ///< states of linear attention: convolution and delta rule
  std::uint64_t total = 0;      ///< with weights and activations
};

struct Estimate {
  std::uint64_t disk = 0;             ///< all files of the repo
  std::uint64_t tensor_bytes = 0;     ///< all tensors, draft head and vision included
  std::uint64_t weights_per_gpu = 0;  ///< without the draft head, which serves speculation only
  std::uint64_t vision = 0;           ///< of these, the vision tower (every GPU holds it whole)
  std::uint64_t draft_head = 0;       ///< left out of weights_per_gpu
  std::uint64_t kv_per_token = 0;     ///< one sequence, one GPU
  std::uint64_t conv_per_sequence = 0;
  std::uint64_t delta_per_sequence = 0;
  std::uint64_t activations = 0;  ///< of a prefill step; an estimate, loaders differ
  std::vector<EstimateRow> rows;
};

/// Sizes for one GPU of `tensor_parallel`. Attention, experts, embedding and head are cut; norms,
/// routers, shared-expert gates and the vision tower are held whole; a key-value head is never cut.
/// Errors: unsupported (no blueprint); usage (heads that the GPUs cannot share evenly).
[[nodiscard]] Result<Estimate> estimate(const OpenedRepo& opened, const EstimateArgs& args);

}  // namespace ckpt::pipeline
