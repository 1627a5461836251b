#include "validator/base/text.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <numeric>

namespace ckpt {
namespace {

struct Decoded {
  std::uint32_t code = 0;
  std::size_t length = 1;
  bool valid = false;
};

Decoded decode(std::string_view s) {
  const auto byte = [&s](std::size_t i) { return static_cast<unsigned char>(s[i]); };
  const unsigned char c = byte(0);
  if (c < 0x80) return {c, 1, true};
  const std::size_t n = c >= 0xF0 ? 4 : c >= 0xE0 ? 3 : c >= 0xC2 ? 2 : 0;
  if (n == 0 || c > 0xF4 || s.size() < n) return {c, 1, false};
  std::uint32_t code = c & (0xFFU >> (n + 1));
  for (std::size_t i = 1; i < n; ++i) {
    if ((byte(i) & 0xC0) != 0x80) return {c, 1, false};
    code = (code << 6) | (byte(i) & 0x3FU);
  }
  constexpr std::array<std::uint32_t, 5> kMin{0, 0, 0x80, 0x800, 0x10000};
  if (code < kMin[n] || code > 0x10FFFF || (code >= 0xD800 && code < 0xE000)) return {c, 1, false};
  return {code, n, true};
}

/// Controls, bidirectional controls, line separators, and what has no width or no ink.
bool harmful(std::uint32_t c) {
  return c < 0x20 || (c >= 0x7F && c < 0xA0) || c == 0xAD || c == 0x34F || c == 0x61C ||
         c == 0x115F || c == 0x1160 || c == 0x17B4 || c == 0x17B5 || (c >= 0x180B && c <= 0x180F) ||
         (c >= 0x200B && c <= 0x200F) || (c >= 0x2028 && c <= 0x202E) ||
         (c >= 0x2060 && c <= 0x206F) || c == 0x3164 || (c >= 0xFE00 && c <= 0xFE0F) ||
         c == 0xFEFF || c == 0xFFA0 || (c >= 0xFFF9 && c <= 0xFFFB) ||
         (c >= 0xE0000 && c <= 0xE0FFF);
}

std::string escape(std::string_view text, std::size_t max_chars, bool ascii_only,
                   bool again = false) {
  // Nearly every name is short plain ASCII; a backslash is not (it could imitate an escape).
  const bool plain = text.size() <= max_chars && std::ranges::all_of(text, [](char c) {
                       return c >= 0x20 && c < 0x7F && c != '\\';
                     });
  if (plain) return std::string(text);
  std::string out;
  std::size_t chars = 0;
  for (std::size_t i = 0; i < text.size();) {
    if (chars++ == max_chars) {
      out += "...";
      break;
    }
    const Decoded d = decode(text.substr(i));
    const char after = i + 1 < text.size() ? text[i + 1] : ' ';
    if (!again && text[i] == '\\' && (after == 'x' || after == 'u')) {
      out += "\\x5c";  // else a backslash in the text could pass for an escape of ours
    } else if (!d.valid) {
      out += fmt::format("\\x{:02x}", d.code);
    } else if (harmful(d.code) || (ascii_only && d.code >= 0x80)) {
      out += d.code < 0x80 ? fmt::format("\\x{:02x}", d.code) : fmt::format("\\u{{{:x}}}", d.code);
    } else {
      out += text.substr(i, d.length);
    }
    i += d.length;
  }
  return out;
}

}  // namespace

std::string shown(std::string_view text, std::size_t max_chars) {
  return escape(text, max_chars, false);
}

std::string shown_again(std::string_view text) {
  return escape(text, text.size(), false, true);
}

std::string shown_ascii(std::string_view text, std::size_t max_chars) {
  return escape(text, max_chars, true);
}

std::size_t display_length(std::string_view text) {
  return static_cast<std::size_t>(std::ranges::count_if(
      text, [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
}

std::string shorten_middle(std::string_view text, std::size_t width) {
  if (display_length(text) <= width || width < 8) return std::string(text);
  // Escaped text may still hold multi-byte characters: cut only at their first bytes.
  std::vector<std::size_t> starts;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if ((static_cast<unsigned char>(text[i]) & 0xC0) != 0x80) starts.push_back(i);
  }
  const std::size_t keep = width - 3;
  const std::size_t head = keep / 2;
  const std::size_t tail = keep - head;
  return fmt::format("{}...{}", text.substr(0, starts[head]),
                     text.substr(starts[starts.size() - tail]));
}

std::string number_as(std::string_view format, double value) {
  return std::isnan(value) ? "NaN" : fmt::format(fmt::runtime(format), value);
}

std::string with_commas(std::uint64_t value) {
  std::string digits = std::to_string(value);
  for (std::size_t i = digits.size(); i > 3; i -= 3) digits.insert(i - 3, 1, ',');
  return digits;
}

std::string bytes_text(std::uint64_t bytes) {
  constexpr std::array kUnits{"bytes", "kB", "MB", "GB", "TB", "PB", "EB"};
  if (bytes < 1000) return fmt::format("{} bytes", bytes);
  auto value = static_cast<double>(bytes);
  std::size_t unit = 0;
  while (value >= 999.95 && unit + 1 < kUnits.size()) {
    value /= 1000;
    ++unit;
  }
  return fmt::format("{:.1f} {}", value, kUnits[unit]);
}

bool parse_size(std::string_view text, std::uint64_t& bytes) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || !(value >= 0) || value > 1e18) return false;
  std::string_view unit(end, static_cast<std::size_t>(text.data() + text.size() - end));
  if (unit.ends_with('B')) unit.remove_suffix(1);
  constexpr std::string_view kLetters = "KMGT";
  double scale = 1;
  if (!unit.empty()) {
    const char letter = unit[0] == 'k' ? 'K' : unit[0];
    const std::size_t power = kLetters.find(letter);
    if (power == std::string_view::npos || unit.size() > 2 || (unit.size() == 2 && unit[1] != 'i'))
      return false;
    for (std::size_t i = 0; i <= power; ++i) scale *= unit.size() == 2 ? 1024 : 1000;
  }
  if (value * scale > 9e18) return false;
  bytes = static_cast<std::uint64_t>(value * scale);
  return true;
}

std::string_view nearest(std::string_view word, const std::vector<std::string>& candidates) {
  std::string_view best;
  std::size_t best_distance = 3;
  for (const std::string& c : candidates) {
    if (std::max(c.size(), word.size()) - std::min(c.size(), word.size()) > 2) continue;
    std::vector<std::size_t> row(c.size() + 1);
    std::iota(row.begin(), row.end(), std::size_t{0});
    for (std::size_t i = 0; i < word.size(); ++i) {
      std::size_t diagonal = row[0]++;
      for (std::size_t j = 0; j < c.size(); ++j) {
        const std::size_t substitute = diagonal + (word[i] == c[j] ? 0 : 1);
        diagonal = row[j + 1];
        row[j + 1] = std::min({substitute, row[j] + 1, row[j + 1] + 1});
      }
    }
    if (row.back() < best_distance) {
      best_distance = row.back();
      best = c;
    }
  }
  return best;
}

int parse_index(std::string_view text) {
  if (text.empty() || text.size() > 6 || (text.size() > 1 && text[0] == '0')) return -1;
  int value = 0;
  for (const char c : text) {
    if (c < '0' || c > '9') return -1;
    value = value * 10 + (c - '0');
  }
  return value;
}

}  // namespace ckpt
