#include "reports/screen.h"

#include <fmt/format.h>

#include "validator/base/text.h"

namespace ckpt::reports {

std::string paint(Paint paint, std::string_view text, const TextOptions& options) {
  constexpr std::string_view kCodes[] = {"",         "\x1b[1;31m", "\x1b[1;33m",
                                         "\x1b[36m", "\x1b[1;32m", "\x1b[1m"};
  if (!options.color || paint == Paint::none) return std::string(text);
  return fmt::format("{}{}\x1b[0m", kCodes[static_cast<std::size_t>(paint)], text);
}

std::string wrap(std::string_view text, std::size_t first_column, std::size_t indent,
                 std::size_t width) {
  std::string out;
  std::size_t column = first_column;
  bool line_empty = true;
  while (!text.empty()) {
    const std::size_t space = text.find(' ');
    const std::string_view word = text.substr(0, space);
    const std::size_t length = display_length(word);
    // A first word that does not fit beside what stands there begins the next line.
    const bool beside = line_empty && column > indent;
    if ((!line_empty && column + 1 + length > width) || (beside && column + length > width)) {
      out += "\n" + std::string(indent, ' ');
      column = indent;
      line_empty = true;
    }
    if (!line_empty) {
      out += ' ';
      ++column;
    }
    out += word;
    column += length;
    line_empty = false;
    if (space == std::string_view::npos) break;
    text.remove_prefix(space + 1);
  }
  return out;
}

}  // namespace ckpt::reports
