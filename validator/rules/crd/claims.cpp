#include "validator/rules/crd/claims.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <utility>

#include "validator/base/text.h"

namespace ckpt::rules {
namespace {

constexpr std::size_t kMostNumbers = 32;
constexpr std::size_t kMostDigits = 24;

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

bool is_word(char c) {
  return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

/// Reads digits with thousands commas and a fraction at `at`; moves `at` behind them.
double read_digits(std::string_view text, std::size_t& at) {
  std::string digits;
  while (at < text.size() && digits.size() < kMostDigits) {
    const char c = text[at];
    const bool next = at + 1 < text.size() && is_digit(text[at + 1]);
    if (is_digit(c) || (c == '.' && next && digits.find('.') == std::string::npos)) {
      digits += c;
    } else if (c != ',' || !next) {
      break;
    }
    ++at;
  }
  return std::strtod(digits.c_str(), nullptr);
}

double multiplier(std::string_view text, std::size_t& at) {
  if (at >= text.size() || (at + 1 < text.size() && is_word(text[at + 1]))) return 1;
  double factor = 1;
  if (text[at] == 'k') factor = 1e3;
  if (text[at] == 'm') factor = 1e6;
  if (text[at] == 'b') factor = 1e9;
  if (factor != 1) ++at;
  return factor;
}

/// Length of a dash between the ends of a range: `-` or the en dash.
std::size_t dash_at(std::string_view text, std::size_t at) {
  if (at < text.size() && text[at] == '-') return 1;
  return text.substr(at).starts_with("\xE2\x80\x93") ? 3 : 0;
}

}  // namespace

std::vector<Number> numbers_in(std::string_view text) {
  std::vector<Number> out;
  std::size_t at = 0;
  while (at < text.size() && out.size() < kMostNumbers) {
    // Digits inside a word (`w4a16`, `qwen3`) are no number.
    if (!is_digit(text[at]) || (at > 0 && (is_word(text[at - 1]) || text[at - 1] == '.'))) {
      ++at;
      continue;
    }
    Number n;
    n.begin = at;
    n.low = read_digits(text, at);
    n.low *= multiplier(text, at);
    n.high = n.low;
    const std::size_t dash = dash_at(text, at);
    if (dash != 0 && at + dash < text.size() && is_digit(text[at + dash])) {
      at += dash;
      n.high = read_digits(text, at);
      n.high *= multiplier(text, at);
      if (n.high < n.low) std::swap(n.low, n.high);  // a range written downward still is one
    }
    n.after = text.substr(std::min(at, text.size()));
    while (n.after.starts_with(' ')) n.after.remove_prefix(1);
    out.push_back(n);
  }
  return out;
}

std::optional<Bytes> bytes_in(std::string_view text) {
  for (const Number& n : numbers_in(text)) {
    const bool giga = n.after.starts_with("gb") || n.after.starts_with("gib");
    const bool mega = n.after.starts_with("mb") || n.after.starts_with("mib");
    if (!giga && !mega) continue;
    const std::size_t unit = n.after.substr(1).starts_with("ib") ? 3 : 2;
    const auto end = static_cast<std::size_t>(n.after.data() - text.data()) + unit;
    return Bytes{n.low * (giga ? 1e9 : 1e6), n.high * (giga ? 0x1p30 : 0x1p20),
                 std::string(text.substr(n.begin, std::min(end, text.size()) - n.begin))};
  }
  return std::nullopt;
}

bool agrees(const Bytes& claim, double actual) {
  return actual >= 0.9 * claim.low && actual <= 1.1 * claim.high;
}

results::Location at_card(const RuleInput& in, std::uint32_t line) {
  results::Location w;
  w.file = "README.md";
  w.line = line;
  w.column = 1;
  w.end_line = line;
  const auto it = std::ranges::lower_bound(in.card->lines, line, {}, &repo::CardLine::number);
  if (it != in.card->lines.end() && it->number == line) {
    w.source_line = std::string(it->text.substr(0, 400));
    w.end_column = 1 + static_cast<std::uint32_t>(display_length(w.source_line));
  }
  return w;
}

Draft contradiction(const RuleInput& in, std::uint32_t line, std::string message,
                    std::string subject) {
  Draft draft;
  draft.message = std::move(message);
  draft.subject = std::move(subject);
  draft.where.push_back(at_card(in, line));
  draft.fix = "correct the card, or the files when the card is right";
  return draft;
}

Emit first_ones(const Emit& emit) {
  constexpr int kMost = 20;
  return [&emit, n = 0](Draft draft) mutable {
    if (n++ < kMost) emit(std::move(draft));
  };
}

std::optional<double> stated(const repo::CardRow& row) {
  const std::vector<Number> numbers = numbers_in(row.value);
  if (numbers.empty()) return std::nullopt;
  const bool one = std::ranges::all_of(
      numbers, [&numbers](const Number& n) { return n.low == numbers.front().low; });
  if (row.loose && !one) return std::nullopt;
  return numbers.front().low;
}

std::optional<double> number_before(std::string_view text, std::string_view word) {
  for (const Number& n : numbers_in(text)) {
    if (n.after.starts_with(word) && n.low == n.high) return n.low;
  }
  return std::nullopt;
}

}  // namespace ckpt::rules
