#pragma once
// What a tokenizer.json says, ready for use. Internal to this folder.

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "validator/base/json.h"
#include "validator/base/result.h"
#include "validator/tokenizer/added_tokens.h"
#include "validator/tokenizer/bpe.h"
#include "validator/tokenizer/splitter.h"

namespace ckpt::tokenizer {

/// One pre-tokenizer, applied to each piece that the one before it left.
struct PreTokenizer {
  bool prefix_space = false;  ///< a piece that does not begin with a space gets one
  std::optional<Splitter> splitter;
};

struct Tables {
  std::shared_ptr<const json::Document> document;  ///< the views below point into it
  bool normalize_nfc = false;
  bool ignore_merges = false;  ///< a piece that is a token is taken whole
  std::vector<PreTokenizer> pre_tokenizers;
  std::unordered_map<std::string_view, std::uint32_t> ids;  ///< vocabulary and added tokens
  std::unordered_map<std::uint32_t, std::string_view> tokens;
  std::uint64_t id_limit = 0;
  std::array<std::optional<std::uint32_t>, 256> byte_ids;
  MergeTable merges;
  AddedTokenFinder raw_finder;         ///< in the text as given
  AddedTokenFinder normalized_finder;  ///< in the normalized text between those
};

/// Fills the tables. Errors: as Tokenizer::parse().
[[nodiscard]] Result<std::unique_ptr<const Tables>> read_tables(
    std::shared_ptr<const json::Document> document);

}  // namespace ckpt::tokenizer
