#pragma once
// The few Unicode facts that a byte-level tokenizer needs.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace ckpt::tokenizer {

/// One code point and the bytes it takes.
struct CodePoint {
  std::uint32_t code = 0;
  std::size_t length = 0;
};

/// The code point at the start of `text`; empty when there is none or it is not valid UTF-8.
[[nodiscard]] std::optional<CodePoint> first_code_point(std::string_view text);
/// The code point that ends `text`, under the same conditions.
[[nodiscard]] std::optional<CodePoint> last_code_point(std::string_view text);

/// Byte of the first defect, or empty when all of `text` is valid UTF-8.
[[nodiscard]] std::optional<std::size_t> invalid_utf8_at(std::string_view text);

/// `bytes` with each maximal invalid part replaced by U+FFFD, as Rust's `from_utf8_lossy` does.
[[nodiscard]] std::string utf8_lossy(std::string_view bytes);

/// Appends `code` as UTF-8.
void append_utf8(std::string& out, std::uint32_t code);

/// Normalization form C of valid UTF-8 text (Unicode 14). Linearithmic also for long runs of
/// combining marks. The tables of tokenizers 0.22 are older: it leaves marks that came after
/// Unicode 9, such as U+1ABF, where they stand, which shows only when one follows a mark of a
/// higher class.
[[nodiscard]] std::string nfc(std::string_view text);

/// Unicode property White_Space (what `\s` means to the regular expressions of `tokenizers`).
[[nodiscard]] bool is_white_space(std::uint32_t code);

/// Alphabetic, mark, decimal digit, connector punctuation or join control: `\w` of UTS 18.
[[nodiscard]] bool is_word(std::uint32_t code);

}  // namespace ckpt::tokenizer
