#include "validator/base/json.h"

#include <fmt/format.h>
#include <simdjson.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <span>
#include <tuple>

#include "validator/base/json_flaw.h"

namespace ckpt::json {
namespace {

constexpr std::size_t kSmallObject = 16;  // up to here, comparing all pairs of keys is cheapest

bool is_space(char c) {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

void append_utf8(std::string& out, std::uint32_t c) {
  const auto put = [&out](std::uint32_t byte) { out.push_back(static_cast<char>(byte)); };
  if (c < 0x80) {
    put(c);
  } else if (c < 0x800) {
    put(0xC0 | (c >> 6));
    put(0x80 | (c & 0x3F));
  } else if (c < 0x10000) {
    put(0xE0 | (c >> 12));
    put(0x80 | ((c >> 6) & 0x3F));
    put(0x80 | (c & 0x3F));
  } else {
    put(0xF0 | (c >> 18));
    put(0x80 | ((c >> 12) & 0x3F));
    put(0x80 | ((c >> 6) & 0x3F));
    put(0x80 | (c & 0x3F));
  }
}

std::uint32_t hex4(std::string_view s) {
  std::uint32_t v = 0;
  std::from_chars(s.data(), s.data() + 4, v, 16);
  return v;
}

/// Unescapes the inside of a string whose grammar has been validated. False on a lone surrogate.
bool unescape(std::string_view in, std::string& out) {
  out.reserve(in.size());
  for (std::size_t i = 0; i < in.size(); ++i) {
    if (in[i] != '\\') {
      out.push_back(in[i]);
      continue;
    }
    const char c = in[++i];
    switch (c) {
      case 'b':
        out.push_back('\b');
        break;
      case 'f':
        out.push_back('\f');
        break;
      case 'n':
        out.push_back('\n');
        break;
      case 'r':
        out.push_back('\r');
        break;
      case 't':
        out.push_back('\t');
        break;
      case 'u': {
        std::uint32_t code = hex4(in.substr(i + 1));
        i += 4;
        if (code >= 0xDC00 && code < 0xE000) return false;
        if (code >= 0xD800 && code < 0xDC00) {
          if (in.size() < i + 7 || in[i + 1] != '\\' || in[i + 2] != 'u') return false;
          const std::uint32_t low = hex4(in.substr(i + 3));
          if (low < 0xDC00 || low > 0xDFFF) return false;
          code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
          i += 6;
        }
        append_utf8(out, code);
        break;
      }
      default:
        out.push_back(c);
    }
  }
  return true;
}

/// The longest prefix that can still be extended to valid UTF-8, for the offset in the message.
std::size_t valid_utf8_prefix(std::string_view s) {
  std::size_t i = 0;
  while (i < s.size()) {
    const auto c = static_cast<unsigned char>(s[i]);
    const std::size_t n = c < 0x80 ? 1 : c >= 0xF0 ? 4 : c >= 0xE0 ? 3 : 2;
    if (i + n > s.size() || !simdjson::validate_utf8(s.data() + i, n)) return i;
    i += n;
  }
  return i;
}

/// Second opinion on a text that simdjson refused, with the place. It also refuses integers above
/// 64 bits, which are legal and common: `model_max_length` of many tokenizers is 10^30.
Result<void> judge(std::string_view text, simdjson::error_code code) {
  if (code == simdjson::MEMALLOC) return fail(ErrorKind::memory, "no memory for the JSON text");
  if (!simdjson::validate_utf8(text.data(), text.size())) {
    return fail(ErrorKind::format,
                fmt::format("byte {}: not valid UTF-8", valid_utf8_prefix(text)));
  }
  if (const auto flaw = find_flaw(text)) {
    return fail(flaw->kind, fmt::format("byte {}: {}", flaw->offset, flaw->what));
  }
  return {};
}

}  // namespace

/// Turns text that simdjson has accepted into nodes. The grammar is known to be right, so this
/// scanner only has to find where things begin and end.
class Builder {
 public:
  explicit Builder(Document& document) : d_(document), s_(document.text_) {}

  Result<void> run() {
    if (auto r = value(); !r) return r;
    std::ranges::sort(d_.duplicates_, {}, &Duplicate::offset);
    return {};
  }

 private:
  Document& d_;
  std::string_view s_;
  std::size_t at_ = 0;
  std::size_t depth_ = 0;

  void skip_space() {
    while (at_ < s_.size() && is_space(s_[at_])) ++at_;
  }

  std::uint32_t add(Kind kind, std::size_t begin) {
    Document::Node node;
    node.kind = kind;
    node.begin = static_cast<std::uint32_t>(begin);
    d_.nodes_.push_back(node);
    return static_cast<std::uint32_t>(d_.nodes_.size() - 1);
  }

  void close(std::uint32_t index, std::size_t end) {
    d_.nodes_[index].end = static_cast<std::uint32_t>(end);
    d_.nodes_[index].next = static_cast<std::uint32_t>(d_.nodes_.size());
  }

  Result<void> value() {
    skip_space();
    switch (s_[at_]) {
      case '{':
        return container(Kind::object, '}');
      case '[':
        return container(Kind::array, ']');
      case '"':
        return string();
      case 't':
      case 'f':
      case 'n':
        return word();
      default:
        return number();
    }
  }

  Result<void> word() {
    const char c = s_[at_];
    const std::uint32_t i = add(c == 'n' ? Kind::null : Kind::boolean, at_);
    d_.nodes_[i].flag = c == 't';
    at_ += c == 'f' ? 5 : 4;
    close(i, at_);
    return {};
  }

  Result<void> number() {
    const std::uint32_t i = add(Kind::number, at_);
    const std::size_t begin = at_;
    while (at_ < s_.size() && std::string_view("+-.eE0123456789").find(s_[at_]) != s_.npos) ++at_;
    if (const auto flaw = length_flaw(s_.substr(begin, at_ - begin), begin)) {
      return fail(flaw->kind, fmt::format("byte {}: {}", flaw->offset, flaw->what));
    }
    close(i, at_);
    return {};
  }

  Result<void> string() {
    const std::uint32_t i = add(Kind::string, at_ + 1);
    const std::size_t begin = ++at_;
    bool escaped = false;
    while (s_[at_] != '"') {
      if (s_[at_] == '\\') {
        escaped = true;
        ++at_;
      }
      ++at_;
    }
    close(i, at_);
    if (escaped) {
      std::string text;
      if (!unescape(s_.substr(begin, at_ - begin), text)) {
        return fail(ErrorKind::format, fmt::format("byte {}: a lone surrogate escape", begin));
      }
      d_.nodes_[i].flag = true;
      d_.nodes_[i].count = static_cast<std::uint32_t>(d_.unescaped_.size());
      d_.unescaped_.push_back(std::move(text));
    }
    ++at_;
    return {};
  }

  Result<void> container(Kind kind, char closer) {
    // simdjson does not count the level of an innermost empty container.
    if (depth_ == limits::kJsonDepth) {
      return fail(ErrorKind::limit, fmt::format("byte {}: nesting above the limit of {} levels",
                                                at_, limits::kJsonDepth));
    }
    ++depth_;
    const std::uint32_t i = add(kind, at_++);
    std::uint32_t count = 0;
    for (skip_space(); s_[at_] != closer; skip_space()) {
      if (s_[at_] == ',') {
        ++at_;
        skip_space();
      }
      if (kind == Kind::object) {
        if (auto r = string(); !r) return r;
        skip_space();
        ++at_;  // the colon
      }
      if (auto r = value(); !r) return r;
      ++count;
    }
    ++at_;
    --depth_;
    d_.nodes_[i].count = count;
    close(i, at_);
    if (kind == Kind::object) find_duplicates(i);
    return {};
  }

  void report(const Value& later, const Value& earlier) {
    d_.duplicates_.push_back({std::string(later.string_text()), later.offset(), earlier.offset()});
  }

  void find_duplicates(std::uint32_t object) {
    const std::uint32_t count = d_.nodes_[object].count;
    if (count < 2) return;
    if (count <= kSmallObject) return compare_all(object);
    compare_hashes(object, count);
  }

  /// All pairs: cheapest for the few keys of nearly every object.
  void compare_all(std::uint32_t object) {
    std::array<Value, kSmallObject> keys;
    std::size_t n = 0;
    Value(&d_, object).each_member([&keys, &n](const Member& m) { keys[n++] = m.key; });
    for (std::size_t a = 1; a < n; ++a) {
      for (std::size_t b = 0; b < a; ++b) {
        if (keys[a].string_text() != keys[b].string_text()) continue;
        report(keys[a], keys[b]);
        break;
      }
    }
  }

  /// Sorted by hash, equal keys stand together, in file order: nodes are numbered in file order.
  void compare_hashes(std::uint32_t object, std::uint32_t count) {
    std::vector<std::pair<std::size_t, std::uint32_t>> keys;
    keys.reserve(count);
    Value(&d_, object).each_member([&keys](const Member& m) {
      keys.emplace_back(std::hash<std::string_view>{}(m.name), m.key.index_);
    });
    std::ranges::sort(keys);
    for (std::size_t begin = 0; begin < keys.size();) {
      std::size_t end = begin + 1;
      while (end < keys.size() && keys[end].first == keys[begin].first) ++end;
      same_hash(std::span(keys).subspan(begin, end - begin));
      begin = end;
    }
  }

  /// Keys of one hash: equal in all likelihood, so the first of each name is found at once.
  void same_hash(std::span<const std::pair<std::size_t, std::uint32_t>> keys) {
    std::vector<Value> firsts;
    for (const auto& [hash, node] : keys) {
      const Value key(&d_, node);
      const auto first = std::ranges::find_if(
          firsts, [&key](const Value& f) { return f.string_text() == key.string_text(); });
      if (first == firsts.end()) {
        if (keys.size() > 1) firsts.push_back(key);
      } else {
        report(key, *first);
      }
    }
  }
};

std::string_view kind_name(Kind kind) {
  constexpr std::string_view kNames[] = {"null", "boolean", "number", "string", "array", "object"};
  return kNames[static_cast<std::size_t>(kind)];
}

namespace {

/// Strict validation by simdjson; its buffers (several times the text) are gone afterwards.
Result<void> validate(const std::string& text) {
  simdjson::dom::parser parser;
  // simdjson counts the innermost scalar's level too: depth d is accepted with max_depth d + 1.
  if (parser.allocate(std::max<std::size_t>(text.size(), 64), limits::kJsonDepth + 1)) {
    return fail(ErrorKind::memory,
                fmt::format("no memory for a JSON text of {} bytes", text.size()));
  }
  const auto parsed = parser.parse(text.data(), text.size(), /*realloc_if_needed=*/true);
  return parsed.error() ? judge(text, parsed.error()) : Result<void>{};
}

}  // namespace

Result<std::shared_ptr<const Document>> parse(std::string text) {
  if (text.size() > 0xFFFFFFF0U) return fail(ErrorKind::limit, "JSON text above 4 GiB");
  if (text.starts_with("\xEF\xBB\xBF")) {
    return fail(ErrorKind::format, "byte 0: a byte order mark, which JSON readers refuse");
  }
  if (auto r = validate(text); !r) return tl::make_unexpected(std::move(r).error());
  auto document = std::make_shared<Document>();
  document->text_ = std::move(text);
  if (auto r = Builder(*document).run(); !r) return tl::make_unexpected(std::move(r).error());
  document->nodes_.shrink_to_fit();
  return document;
}

Value Document::root() const {
  return Value(this, 0);
}

Position position_in(std::string_view text, std::uint64_t offset) {
  Position p;
  const std::string_view before = text.substr(0, offset);
  p.line += static_cast<std::uint32_t>(std::ranges::count(before, '\n'));
  const std::size_t newline = before.rfind('\n');
  const std::string_view row =
      newline == std::string_view::npos ? before : before.substr(newline + 1);
  p.column += static_cast<std::uint32_t>(std::ranges::count_if(
      row, [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
  return p;
}

std::string_view line_in(std::string_view text, std::uint32_t number) {
  std::string_view rest = text;
  for (std::uint32_t i = 1; i < number; ++i) {
    const std::size_t newline = rest.find('\n');
    if (newline == std::string_view::npos) return {};
    rest.remove_prefix(newline + 1);
  }
  rest = rest.substr(0, rest.find('\n'));
  if (rest.ends_with('\r')) rest.remove_suffix(1);
  return rest;
}

std::string_view Value::string_text() const {
  const Document::Node& n = node();
  if (n.flag) return document_->unescaped_[n.count];
  return std::string_view(document_->text_).substr(n.begin, n.end - n.begin);
}

std::optional<std::string_view> Value::string() const {
  if (!is(Kind::string)) return std::nullopt;
  return string_text();
}

std::string_view Value::raw() const {
  if (document_ == nullptr) return {};
  return std::string_view(document_->text_).substr(offset(), end_offset() - offset());
}

namespace {

template <class T>
std::optional<T> whole(std::string_view text) {
  T value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

}  // namespace

std::optional<std::int64_t> Value::integer() const {
  // "-0" is a float zero to other readers; an integer field must not accept it.
  if (!is(Kind::number) || raw() == "-0") return std::nullopt;
  return whole<std::int64_t>(raw());
}

std::optional<std::uint64_t> Value::unsigned_integer() const {
  if (!is(Kind::number)) return std::nullopt;
  return whole<std::uint64_t>(raw());
}

std::optional<double> Value::number() const {
  if (!is(Kind::number)) return std::nullopt;
  const std::string_view text = raw();
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  // Too large was refused with the text, so out of range is too small.
  if (error == std::errc::result_out_of_range) return text.starts_with('-') ? -0.0 : 0.0;
  return value;
}

std::optional<bool> Value::boolean() const {
  if (!is(Kind::boolean)) return std::nullopt;
  return node().flag;
}

std::size_t Value::size() const {
  if (!is(Kind::array) && !is(Kind::object)) return 0;
  return node().count;
}

Member Value::member(std::string_view key) const {
  Member found;
  each_member([&](const Member& m) {
    if (m.name == key) found = m;
  });
  return found;
}

Value Value::find(std::string_view key) const {
  return member(key).value;
}

std::uint64_t Value::offset() const {
  if (document_ == nullptr) return 0;
  return node().kind == Kind::string ? node().begin - 1 : node().begin;
}

std::uint64_t Value::end_offset() const {
  if (document_ == nullptr) return 0;
  return node().kind == Kind::string ? node().end + 1 : node().end;
}

Position Value::position() const {
  if (document_ == nullptr) return {};
  return document_->position(offset());
}

std::string quoted(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (static_cast<unsigned char>(c) < 0x20) {
      out += fmt::format("\\u{:04x}", static_cast<unsigned>(c));
    } else {
      out += c;
    }
  }
  return out + '"';
}

std::string pointer_append(std::string_view pointer, std::string_view token) {
  std::string out(pointer);
  out.push_back('/');
  for (const char c : token) {
    if (c == '~') {
      out += "~0";
    } else if (c == '/') {
      out += "~1";
    } else {
      out.push_back(c);
    }
  }
  return out;
}

}  // namespace ckpt::json
