#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "kernels/ops.h"
#include "validator/weights/model.h"

namespace ckpt::forward {

/// x [tokens, H] = embedding rows of all sequences, in order. Reads only the rows that occur, each
/// once. Errors: format (a token beyond the vocabulary), those of the weights.
[[nodiscard]] Result<void> embed_tokens(const weights::Model& model,
                                        std::span<const std::vector<std::int32_t>> sequences,
                                        kernels::Ops& ops, const kernels::Rows& x);

}  // namespace ckpt::forward
