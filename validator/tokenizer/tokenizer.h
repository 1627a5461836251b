#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "validator/base/json.h"
#include "validator/base/result.h"

namespace ckpt::tokenizer {

/// Longest text that one call takes; callers with more cut it at line ends.
inline constexpr std::size_t kTextBytes = 1U << 30;

/// Byte-level BPE as the `tokenizers` library 0.23 runs it for a `tokenizer.json`. Owns its tables
/// (and the document they point into); movable. Immutable, so const methods are thread-safe.
class Tokenizer {
 public:
  /// Reads a tokenizer.json. Supported: model BPE; normalizer none or NFC; pre-tokenizers ByteLevel
  /// and Split (behaviour Isolated), alone or in a Sequence that ends with ByteLevel.
  /// Errors: unsupported (another kind of model, normalizer or pre-tokenizer, or a pattern that
  /// cannot be evaluated); format with the JSON pointer (malformed or contradictory content: an
  /// empty vocabulary, ids outside 32 bits, one id for two tokens, two ids for one token, merges of
  /// unknown tokens). Ids never size anything: memory follows the bytes of the file.
  [[nodiscard]] static Result<Tokenizer> parse(std::shared_ptr<const json::Document> document);
  [[nodiscard]] static Result<Tokenizer> parse(std::string text);

  Tokenizer(Tokenizer&&) noexcept;
  Tokenizer& operator=(Tokenizer&&) noexcept;
  ~Tokenizer();

  /// Token ids of `text`; added tokens inside it are recognised, the post-processor adds nothing
  /// (add_special_tokens=False). Errors: format (`text` is not UTF-8, with the byte; the vocabulary
  /// lacks a byte); limit (longer than kTextBytes, or the split pattern backtracks without end).
  [[nodiscard]] Result<std::vector<std::uint32_t>> encode(std::string_view text) const;

  /// Text of `ids`, special tokens kept, unknown ids left out. Invalid UTF-8 becomes U+FFFD.
  [[nodiscard]] std::string decode(std::span<const std::uint32_t> ids) const;

  /// What the pre-tokenizer makes of the normalized `text` when no added token is cut out of it
  /// first. Errors: as encode().
  [[nodiscard]] Result<std::vector<std::string>> pieces(std::string_view text) const;

  /// `text` (valid UTF-8) in the normal form of the file's normalizer.
  [[nodiscard]] std::string normalize(std::string_view text) const;

  /// Different ids, added tokens included.
  [[nodiscard]] std::size_t vocab_size() const;
  /// Largest id + 1: what the rows of an embedding must cover.
  [[nodiscard]] std::uint64_t id_limit() const;
  /// Id of a token as spelt in the file (byte alphabet: `\u0120the`), added tokens included.
  [[nodiscard]] std::optional<std::uint32_t> token_id(std::string_view token) const;
  /// The token as spelt in the file; empty when the id is unknown.
  [[nodiscard]] std::string token_text(std::uint32_t id) const;
  /// The bytes that the token stands for, not necessarily whole characters; empty when unknown.
  [[nodiscard]] std::string token_bytes(std::uint32_t id) const;

 private:
  explicit Tokenizer(std::unique_ptr<const struct Tables> tables);
  std::unique_ptr<const Tables> tables_;
};

}  // namespace ckpt::tokenizer
