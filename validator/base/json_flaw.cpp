#include "validator/base/json_flaw.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "validator/base/limits.h"
#include "validator/base/text.h"

namespace ckpt::json {
namespace {

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

bool is_hex(char c) {
  return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

/// Recursive descent; each function leaves `at_` after what it read, or sets `flaw_` and says
/// false.
class Scanner {
 public:
  explicit Scanner(std::string_view text) : s_(text) {}

  std::optional<Flaw> run() {
    skip_space();
    if (at_ == s_.size()) {
      flaw(at_, "empty: no JSON value");
    } else if (value()) {
      skip_space();
      if (at_ < s_.size())
        flaw(at_, fmt::format("text after the end of the JSON value, {}", here()));
    }
    return std::move(flaw_);
  }

 private:
  std::string_view s_;
  std::size_t at_ = 0;
  std::size_t depth_ = 0;
  std::optional<Flaw> flaw_;

  bool flaw(std::size_t offset, std::string what, ErrorKind kind = ErrorKind::format) {
    if (!flaw_) flaw_ = Flaw{kind, offset, std::move(what)};
    return false;
  }

  [[nodiscard]] char peek() const { return at_ < s_.size() ? s_[at_] : '\0'; }

  [[nodiscard]] std::string here() const {
    if (at_ >= s_.size()) return "found the end";
    return fmt::format("found `{}`", shown(s_.substr(at_, 12), 12));
  }

  bool expected(std::string_view what) {
    return flaw(at_, fmt::format("expected {}, {}", what, here()));
  }

  void skip_space() {
    while (at_ < s_.size() &&
           (s_[at_] == ' ' || s_[at_] == '\t' || s_[at_] == '\n' || s_[at_] == '\r')) {
      ++at_;
    }
  }

  bool take(char c) {
    if (at_ >= s_.size() || s_[at_] != c) return false;
    ++at_;
    return true;
  }

  bool value() {
    switch (peek()) {
      case '{':
      case '[':
        return nested();
      case '"':
        return string();
      case 't':
        return word("true");
      case 'f':
        return word("false");
      case 'n':
        return word("null");
      default:
        break;
    }
    if (peek() == '-' || is_digit(peek())) return number();
    return expected("a value");
  }

  bool nested() {
    if (depth_ == limits::kJsonDepth) {
      return flaw(at_, fmt::format("nesting above the limit of {} levels", limits::kJsonDepth),
                  ErrorKind::limit);
    }
    ++depth_;
    const bool good = s_[at_] == '{' ? object() : array();
    --depth_;
    return good;
  }

  bool object() {
    ++at_;
    skip_space();
    if (take('}')) return true;
    while (true) {
      if (peek() != '"') return expected("a key in double quotes");
      if (!string()) return false;
      skip_space();
      if (!take(':')) return expected("`:`");
      skip_space();
      if (!value()) return false;
      skip_space();
      if (take('}')) return true;
      if (!take(',')) return expected("`,` or `}`");
      skip_space();
    }
  }

  bool array() {
    ++at_;
    skip_space();
    if (take(']')) return true;
    while (true) {
      if (!value()) return false;
      skip_space();
      if (take(']')) return true;
      if (!take(',')) return expected("`,` or `]`");
      skip_space();
    }
  }

  bool word(std::string_view want) {
    if (!s_.substr(at_).starts_with(want)) return expected("a value");
    at_ += want.size();
    return true;
  }

  bool string() {
    const std::size_t begin = at_++;
    while (at_ < s_.size() && s_[at_] != '"') {
      if (static_cast<unsigned char>(s_[at_]) < 0x20) {
        return flaw(at_, fmt::format("a raw control character inside a string, {}", here()));
      }
      if (s_[at_] == '\\') {
        if (!escape()) return false;
      } else {
        ++at_;
      }
    }
    if (!take('"')) return flaw(begin, "a string is not closed");
    return true;
  }

  /// The code unit of `\uXXXX` at `at`, or -1.
  [[nodiscard]] int unit(std::size_t at) const {
    if (!s_.substr(at).starts_with("\\u") || at + 6 > s_.size()) return -1;
    for (std::size_t i = at + 2; i < at + 6; ++i) {
      if (!is_hex(s_[i])) return -1;
    }
    int value = 0;
    std::from_chars(s_.data() + at + 2, s_.data() + at + 6, value, 16);
    return value;
  }

  bool escape() {
    const std::size_t begin = at_;
    const char c = at_ + 1 < s_.size() ? s_[at_ + 1] : '\0';
    if (c != 'u') {
      if (c == '\0' || std::string_view("\"\\/bfnrt").find(c) == std::string_view::npos) {
        return flaw(begin, fmt::format("a bad escape inside a string, {}", here()));
      }
      at_ += 2;
      return true;
    }
    const int high = unit(at_);
    if (high < 0) return flaw(begin, fmt::format("a bad escape inside a string, {}", here()));
    at_ += 6;
    if (high < 0xD800 || high > 0xDFFF) return true;
    const int low = high < 0xDC00 ? unit(at_) : -1;
    if (low < 0xDC00 || low > 0xDFFF) return flaw(begin, "a lone surrogate escape");
    at_ += 6;
    return true;
  }

  bool digits() {
    const std::size_t begin = at_;
    while (is_digit(peek())) ++at_;
    return at_ > begin;
  }

  bool number() {
    const std::size_t begin = at_;
    take('-');
    const bool zero = peek() == '0';
    if (!digits() || (zero && at_ - begin > (s_[begin] == '-' ? 2U : 1U))) return malformed(begin);
    bool whole = true;
    if (take('.')) {
      whole = false;
      if (!digits()) return malformed(begin);
    }
    if (peek() == 'e' || peek() == 'E') {
      whole = false;
      ++at_;
      if (peek() == '+' || peek() == '-') ++at_;
      if (!digits()) return malformed(begin);
    }
    return fits(s_.substr(begin, at_ - begin), whole, begin);
  }

  bool malformed(std::size_t begin) {
    at_ = begin;
    return flaw(begin, fmt::format("a malformed number, {}", here()));
  }

  bool fits(std::string_view literal, bool whole, std::size_t begin) {
    if (auto long_one = length_flaw(literal, begin)) {
      return flaw(begin, std::move(long_one->what), long_one->kind);
    }
    if (whole) return true;  // kept as written, however long; who reads it decides
    double value = 0;
    if (std::from_chars(literal.data(), literal.data() + literal.size(), value).ec == std::errc{})
      return true;
    // Out of range is beyond the largest double, or below the smallest, which reads as zero.
    const std::size_t exponent = literal.find_first_of("eE");
    if (exponent == std::string_view::npos || literal[exponent + 1] == '-') return true;
    return flaw(begin, fmt::format("the number {} is beyond the range of a double", literal));
  }
};

}  // namespace

std::optional<Flaw> length_flaw(std::string_view literal, std::uint64_t offset) {
  if (literal.size() <= limits::kNumberChars) return std::nullopt;
  std::string_view rest = literal;
  if (rest.starts_with('-')) rest.remove_prefix(1);
  std::size_t free = 0;
  if (rest.starts_with("0.")) free = std::min(rest.find_first_not_of('0', 2), rest.size()) - 2;
  const std::size_t length = literal.size() - free;
  if (length <= limits::kNumberChars) return std::nullopt;
  return Flaw{ErrorKind::limit, offset,
              fmt::format("a number of {} characters, limit {}", length, limits::kNumberChars)};
}

std::optional<Flaw> find_flaw(std::string_view text) {
  return Scanner(text).run();
}

}  // namespace ckpt::json
