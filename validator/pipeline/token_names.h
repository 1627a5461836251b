#pragma once

#include "validator/pipeline/opened.h"
#include "validator/pipeline/tokens.h"
#include "validator/results/results.h"

namespace ckpt::pipeline {

/// Puts the text of tokens into metrics: where each divergence is largest, what both models predict
/// at the worst positions, and what stands before those. Without a tokenizer all stay empty.
void name_tokens(const OpenedRepo& reference, const TokenSet& tokens, results::Metrics& metrics);

}  // namespace ckpt::pipeline
