#pragma once
// The only way text from a file reaches a person: escaped and shortened.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace ckpt {

/// `text` made safe to show: C0, C1, DEL, bidirectional controls, zero-width characters and invalid
/// UTF-8 become escapes such as `\x1b` and `\u{202e}`; cut at `max_chars` with an ellipsis.
[[nodiscard]] std::string shown(std::string_view text, std::size_t max_chars = 200);

/// `text` that passed shown() before it was stored, and may have been changed since: what shown()
/// would escape is escaped, backslashes and the length stay.
[[nodiscard]] std::string shown_again(std::string_view text);

/// As shown(), with every character outside ASCII escaped too: for names that must not look alike.
[[nodiscard]] std::string shown_ascii(std::string_view text, std::size_t max_chars = 200);

/// `text` cut in the middle to at most `width` characters, for the screen.
[[nodiscard]] std::string shorten_middle(std::string_view text, std::size_t width);

/// A number by an fmt format such as `{:.4f}`; NaN is `NaN` whatever the format says.
[[nodiscard]] std::string number_as(std::string_view format, double value);

/// 122061 -> `122,061`.
[[nodiscard]] std::string with_commas(std::uint64_t value);

/// 138823000000 -> `138.8 GB` (powers of ten).
[[nodiscard]] std::string bytes_text(std::uint64_t bytes);

/// Parses `16G` (10^9), `16Gi` (2^30), `512M`, `1024`. Empty when it is not a size.
[[nodiscard]] bool parse_size(std::string_view text, std::uint64_t& bytes);

/// Number of code points.
[[nodiscard]] std::size_t display_length(std::string_view text);

/// The nearest of `candidates` within edit distance 2, or empty.
[[nodiscard]] std::string_view nearest(std::string_view word,
                                       const std::vector<std::string>& candidates);

/// Exact grammar `0|[1-9][0-9]{0,5}`; -1 when `text` is anything else. Layer and expert numbers in
/// names go through here, so that `007`, `+7` or a wrapped value never folds onto a real one.
[[nodiscard]] int parse_index(std::string_view text);

}  // namespace ckpt
