#include "validator/tokenizer/pattern.h"

#include <fmt/format.h>

#include "validator/base/text.h"

namespace ckpt::tokenizer {
namespace {

constexpr std::string_view kSpace =
    R"(\x{9}-\x{d}\x{20}\x{85}\x{a0}\x{1680}\x{2000}-\x{200a}\x{2028}\x{2029}\x{202f})"
    R"(\x{205f}\x{3000})";
constexpr std::string_view kNotSpace =
    R"(\x{0}-\x{8}\x{e}-\x{1f}\x{21}-\x{84}\x{86}-\x{9f}\x{a1}-\x{167f}\x{1681}-\x{1fff})"
    R"(\x{200b}-\x{2027}\x{202a}-\x{202e}\x{2030}-\x{205e}\x{2060}-\x{2fff}\x{3001}-\x{d7ff})"
    R"(\x{e000}-\x{10ffff})";
constexpr std::string_view kWord =
    R"(\p{L}\p{M}\p{Nd}\p{Nl}\p{Pc}\x{200c}\x{200d}\x{24b6}-\x{24e9}\x{1f130}-\x{1f149})"
    R"(\x{1f150}-\x{1f169}\x{1f170}-\x{1f189})";

/// Escaped letters and digits with the same meaning to both engines.
constexpr std::string_view kSharedEscapes = "pPdDnrtfaex0AzZ";

tl::unexpected<Error> refuse(std::string_view what) {
  return fail(ErrorKind::unsupported,
              fmt::format("pattern cannot be evaluated: {} is not supported", what));
}

class Translator {
 public:
  explicit Translator(std::string_view pattern) : rest_(pattern) {}

  Result<std::string> run() {
    while (!rest_.empty()) {
      if (auto r = step(); !r) return tl::make_unexpected(std::move(r).error());
    }
    return std::move(out_);
  }

 private:
  std::string_view rest_;
  std::string out_;
  bool in_set_ = false;

  void copy(std::size_t n) {
    out_ += rest_.substr(0, n);
    rest_.remove_prefix(std::min(n, rest_.size()));
  }

  Result<void> step() {
    if (rest_[0] == '\\') return escape();
    if (in_set_) return inside_set();
    switch (rest_[0]) {
      case '[':
        in_set_ = true;
        copy(rest_.starts_with("[^") ? 2 : 1);
        if (rest_.starts_with(']')) copy(1);
        return {};
      case '}':
        if (rest_.starts_with("}+")) return refuse("`+` after a counted repeat");
        break;
      case '{':
        if (rest_.starts_with("{,")) return refuse("a repeat without its lower bound");
        break;
      case '(':
        if (rest_.starts_with("(?")) return group();
        if (rest_.starts_with("(*")) return refuse("`(*`");
        break;
      default:
        break;
    }
    copy(1);
    return {};
  }

  Result<void> inside_set() {
    if (rest_.starts_with("[:")) {
      const std::size_t end = rest_.find(":]");
      if (end == std::string_view::npos) return refuse("`[` inside a set");
      copy(end + 2);
      return {};
    }
    if (rest_[0] == '[') return refuse("a set inside a set");
    if (rest_.starts_with("&&")) return refuse("`&&` inside a set");
    in_set_ = rest_[0] != ']';
    copy(1);
    return {};
  }

  /// `(?` and what follows up to where ordinary syntax goes on.
  Result<void> group() {
    const std::string_view after = rest_.substr(2);
    const std::size_t flags = after.find_first_not_of("im-");
    if (flags != 0) {
      if (after.substr(0, flags).find('m') != std::string_view::npos) return refuse("option `m`");
      if (flags == std::string_view::npos || (after[flags] != ':' && after[flags] != ')')) {
        return refuse("an option");
      }
      copy(2 + flags);
      return {};
    }
    for (const std::string_view opener : {":", "=", "!", ">", "<=", "<!"}) {
      if (after.starts_with(opener)) {
        copy(2 + opener.size());
        return {};
      }
    }
    return refuse("this kind of group");
  }

  void put_set(std::string_view ranges, bool negated) {
    out_ += fmt::format("[{}{}]", negated ? "^" : "", ranges);
    rest_.remove_prefix(2);
  }

  void put_ranges(std::string_view ranges) {
    out_ += ranges;
    rest_.remove_prefix(2);
  }

  Result<void> escape() {
    if (rest_.size() < 2) return refuse("a lone backslash");
    const char c = rest_[1];
    if (c == 's' || c == 'S') {
      if (in_set_) {
        put_ranges(c == 's' ? kSpace : kNotSpace);
      } else {
        put_set(kSpace, c == 'S');
      }
      return {};
    }
    if (c == 'w' || (c == 'W' && !in_set_)) {
      if (in_set_) {
        put_ranges(kWord);
      } else {
        put_set(kWord, c == 'W');
      }
      return {};
    }
    const bool alnum = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
    if (alnum && kSharedEscapes.find(c) == std::string_view::npos) {
      return refuse(fmt::format("`\\{}`{}", c, in_set_ ? " inside a set" : ""));
    }
    const bool braces = (c == 'p' || c == 'P' || c == 'x') && rest_.substr(2).starts_with('{');
    if ((c == 'p' || c == 'P') && !braces) return refuse("a property without braces");
    const std::size_t end = braces ? rest_.find('}') : 1;
    if (end == std::string_view::npos) return refuse("an open brace");
    copy(end + 1);
    return {};
  }
};

}  // namespace

Result<std::string> to_pcre2(std::string_view pattern) {
  return Translator(pattern).run();
}

std::string literal_pattern(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const bool special = std::string_view("\\^$.|?*+()[]{}#-").find(c) != std::string_view::npos;
    if (special) out.push_back('\\');
    out.push_back(c);
  }
  return out;
}

}  // namespace ckpt::tokenizer
