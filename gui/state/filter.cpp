#include "gui/state/filter.h"

#include <fmt/format.h>
#include <re2/re2.h>

#include <algorithm>
#include <charconv>
#include <optional>

#include "validator/base/text.h"

namespace ckpt::gui {
namespace {

char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

bool equal_words(std::string_view a, std::string_view b) {
  return std::ranges::equal(a, b, [](char x, char y) { return lower(x) == lower(y); });
}

enum class Kind : std::uint8_t { fuzzy, exact, pattern, name, dtype, finding, number };
enum class Op : std::uint8_t { equal, less, less_equal, greater, greater_equal };

const std::vector<std::string> kFields{"dtype",   "layer", "expert", "bits",
                                       "finding", "bytes", "error",  "name"};

std::optional<double> number_of(std::string_view text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error == std::errc{} && end == text.data() + text.size()) return value;
  std::uint64_t size = 0;
  if (parse_size(text, size)) return static_cast<double>(size);
  return std::nullopt;
}

struct Split {
  std::string_view field;
  Op op = Op::equal;
  std::string_view value;
};

/// `bytes>=1G` into its parts; empty when there is no operator after a word.
std::optional<Split> split(std::string_view term) {
  const std::size_t at = term.find_first_of(":<>");
  if (at == std::string_view::npos || at == 0) return std::nullopt;
  Split out{term.substr(0, at), Op::equal, term.substr(at + 1)};
  if (term[at] == ':') return out;
  const bool with_equal = out.value.starts_with('=');
  if (with_equal) out.value.remove_prefix(1);
  if (term[at] == '<') out.op = with_equal ? Op::less_equal : Op::less;
  if (term[at] == '>') out.op = with_equal ? Op::greater_equal : Op::greater;
  return out;
}

bool compare(double value, Op op, double limit) {
  switch (op) {
    case Op::equal:
      return value == limit;
    case Op::less:
      return value < limit;
    case Op::less_equal:
      return value <= limit;
    case Op::greater:
      return value > limit;
    case Op::greater_equal:
      return value >= limit;
  }
  return false;
}

}  // namespace

struct Filter::Term {
  Kind kind = Kind::fuzzy;
  bool negated = false;
  std::string text;
  std::string field;
  Op op = Op::equal;
  double number = 0;
  std::unique_ptr<re2::RE2> pattern;

  [[nodiscard]] double value_of(const FilterRow& row) const {
    if (field == "layer") return row.layer;
    if (field == "expert") return row.expert;
    if (field == "bits") return row.bits;
    return field == "bytes" ? row.bytes : row.error;
  }

  [[nodiscard]] bool holds(const FilterRow& row) const {
    switch (kind) {
      case Kind::fuzzy:
        return fuzzy_match(text, row.name);
      case Kind::exact:
        return row.name.find(text) != std::string_view::npos;
      case Kind::name:
        return row.name == text;
      case Kind::pattern:
        return re2::RE2::PartialMatch(re2::StringPiece(row.name.data(), row.name.size()), *pattern);
      case Kind::dtype:
        return equal_words(text, row.dtype);
      case Kind::finding:
        return row.codes != nullptr && std::ranges::any_of(*row.codes, [this](const auto& code) {
                 return equal_words(std::string_view(code).substr(0, text.size()), text);
               });
      case Kind::number: {
        const double value = value_of(row);
        // -1 stands for unknown: no comparison holds of it.
        return value >= 0 && compare(value, op, number);
      }
    }
    return false;
  }
};

namespace {

/// Cuts at spaces outside a `/pattern/`.
std::vector<std::string_view> words_of(std::string_view text) {
  std::vector<std::string_view> out;
  std::size_t at = 0;
  while ((at = text.find_first_not_of(' ', at)) != std::string_view::npos) {
    std::size_t end = 0;
    const std::size_t slash = at + (text[at] == '-' ? 1 : 0);
    if (slash < text.size() && text[slash] == '/') {
      end = text.find('/', slash + 1);
      end = end == std::string_view::npos ? text.size() : end + 1;
    } else {
      end = std::min(text.find(' ', at), text.size());
    }
    out.push_back(text.substr(at, end - at));
    at = end;
  }
  return out;
}

}  // namespace

bool fuzzy_match(std::string_view word, std::string_view text) {
  std::size_t at = 0;
  for (const char c : text) {
    if (at == word.size()) return true;
    if (lower(c) == lower(word[at])) ++at;
  }
  return at == word.size();
}

int fuzzy_score(std::string_view word, std::string_view text) {
  if (word.empty() || !fuzzy_match(word, text)) return 0;
  constexpr int kBest = 10'000;
  std::size_t at = 0;
  std::size_t previous = 0;
  int gaps = 0;
  for (std::size_t i = 0; i < text.size() && at < word.size(); ++i) {
    if (lower(text[i]) != lower(word[at])) continue;
    if (at == 0 || i != previous + 1) gaps += 20 + static_cast<int>(std::min<std::size_t>(i, 200));
    previous = i;
    ++at;
  }
  return std::max(1, kBest - gaps - static_cast<int>(std::min<std::size_t>(text.size(), 1000)));
}

Result<Filter> Filter::parse(std::string_view text) {
  Filter filter;
  for (std::string_view word : words_of(text)) {
    auto term = std::make_shared<Term>();
    term->negated = word.size() > 1 && word.starts_with('-');
    if (term->negated) word.remove_prefix(1);
    const auto parts = split(word);
    if (word.starts_with('=')) {
      term->kind = Kind::exact;
      term->text = word.substr(1);
    } else if (word.starts_with('/')) {
      const bool closed = word.size() > 1 && word.ends_with('/');
      const std::string_view body = word.substr(1, word.size() - (closed ? 2 : 1));
      re2::RE2::Options options;
      options.set_log_errors(false);
      options.set_max_mem(8 << 20);
      term->kind = Kind::pattern;
      term->pattern =
          std::make_unique<re2::RE2>(re2::StringPiece(body.data(), body.size()), options);
      if (!term->pattern->ok()) {
        return fail(ErrorKind::usage,
                    fmt::format("`{}`: {}", shown(word, 60), shown(term->pattern->error(), 100)));
      }
    } else if (parts) {
      term->field = parts->field;
      if (std::ranges::find(kFields, term->field) == kFields.end()) {
        const std::string_view near = nearest(term->field, kFields);
        return fail(ErrorKind::usage,
                    fmt::format("no field `{}`; {}", shown(term->field, 40),
                                near.empty() ? fmt::format("there are {}", fmt::join(kFields, ", "))
                                             : fmt::format("did you mean `{}`?", near)));
      }
      term->text = parts->value;
      term->op = parts->op;
      if (term->field == "dtype")
        term->kind = Kind::dtype;
      else if (term->field == "finding")
        term->kind = Kind::finding;
      else if (term->field == "name")
        term->kind = Kind::name;
      else {
        const auto value = number_of(parts->value);
        if (!value) {
          return fail(ErrorKind::usage, fmt::format("`{}`: no number after `{}`", shown(word, 60),
                                                    shown(term->field, 40)));
        }
        term->kind = Kind::number;
        term->number = *value;
      }
    } else {
      term->text = word;
    }
    filter.terms_.push_back(std::move(term));
  }
  return filter;
}

bool Filter::matches(const FilterRow& row) const {
  return std::ranges::all_of(terms_, [&](const auto& t) { return t->holds(row) != t->negated; });
}

}  // namespace ckpt::gui
