#pragma once
// The byte alphabet of GPT-2: each byte has a printable character that stands for it in
// vocabularies (`encoder.py`, bytes_to_unicode): printable Latin-1 stands for itself, the 68 others
// are numbered from U+0100 on.

#include <string>
#include <string_view>

namespace ckpt::tokenizer {

/// Appends the character that stands for `byte`.
void append_byte_char(std::string& out, unsigned char byte);

/// `bytes` in the byte alphabet.
[[nodiscard]] std::string to_byte_alphabet(std::string_view bytes);

/// The bytes that a token of a vocabulary stands for. A token with any character outside the
/// alphabet stands for its own UTF-8 bytes (tokenizers 0.23, pre_tokenizers/byte_level.rs).
[[nodiscard]] std::string from_byte_alphabet(std::string_view token);

}  // namespace ckpt::tokenizer
