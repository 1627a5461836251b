#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace ckpt::tokenizer {

/// One entry of `added_tokens`; the flags mean what they mean in tokenizers 0.23.
struct AddedToken {
  std::string content;
  std::uint32_t id = 0;
  bool special = false;
  bool single_word = false;  ///< only where no word character touches it
  bool lstrip = false;       ///< takes the white space before it
  bool rstrip = false;       ///< takes the white space after it
  bool normalized = false;   ///< is looked for in the normalized text
};

/// A part of a text: an added token (then `id` is set) or ordinary text.
struct Segment {
  std::string_view text;
  std::optional<std::uint32_t> id;
};

/// Finds added tokens in text, leftmost first and of those the longest. const methods are
/// thread-safe.
class AddedTokenFinder {
 public:
  /// `spelling` is what to look for: the content, or its normalized form. Empty ones are ignored.
  void add(AddedToken token, std::string_view spelling);

  /// The parts of `text` in order; they cover it, except for what two overlapping strips share.
  [[nodiscard]] std::vector<Segment> cut(std::string_view text) const;

 private:
  struct Match {
    std::size_t length = 0;
    const AddedToken* token = nullptr;
  };

  [[nodiscard]] Match longest_at(std::string_view text) const;

  std::vector<AddedToken> tokens_;
  std::unordered_map<std::uint64_t, std::uint32_t> edges_;  ///< node << 8 | byte, to the next node
  std::vector<std::uint32_t> ends_ = {0};  ///< by node: 1 + index of the token that ends there
};

}  // namespace ckpt::tokenizer
