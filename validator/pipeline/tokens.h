#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "validator/base/result.h"
#include "validator/pipeline/opened.h"
#include "validator/tokenizer/tokenizer.h"

namespace ckpt::pipeline {

/// What to evaluate on. Exactly one of `text` and `token_ids` is used: `token_ids` when not empty.
struct TokenSource {
  std::string text;          ///< `builtin:NAME` or a UTF-8 file
  std::string token_ids;     ///< .json (list of lists) or .npy [sequences, length], int32 or int64
  std::uint64_t tokens = 0;  ///< at most this many; 0: all there are
  std::uint64_t context = 512;
};

struct TokenSet {
  std::vector<std::vector<std::int32_t>> sequences;
  std::string label;   ///< for reports: `builtin:mixed-v1`, a file name
  std::string sha256;  ///< of the text or of the ids file
  std::uint64_t total = 0;
  bool shorter_than_asked = false;
};

/// Reads and, for text, tokenizes with the reference's tokenizer. Every id must lie below
/// `vocab_size`. Errors: not_found, io, format (malformed ids, with the place), usage (nothing to
/// evaluate), and those of the tokenizer.
[[nodiscard]] Result<TokenSet> read_tokens(const TokenSource& source, const OpenedRepo& reference);

/// The repo's tokenizer. Errors: not_found, format, unsupported.
[[nodiscard]] Result<tokenizer::Tokenizer> read_tokenizer(const OpenedRepo& opened);

/// Parses a NumPy .npy array of rank 2 and dtype <i4 or <i8 into rows. Errors: format.
[[nodiscard]] Result<std::vector<std::vector<std::int64_t>>> parse_npy(std::string_view bytes);

}  // namespace ckpt::pipeline
