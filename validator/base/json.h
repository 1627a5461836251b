#pragma once
// JSON from strangers: strict, with the place of every value and every duplicate key kept.

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "validator/base/limits.h"
#include "validator/base/result.h"

namespace ckpt::json {

enum class Kind : std::uint8_t { null, boolean, number, string, array, object };

/// `object`, `string`, ...: for messages.
[[nodiscard]] std::string_view kind_name(Kind kind);

struct Position {
  std::uint32_t line = 1;    ///< 1-based
  std::uint32_t column = 1;  ///< 1-based, counts code points
};

/// Line and column of a byte of `text`.
[[nodiscard]] Position position_in(std::string_view text, std::uint64_t offset);
/// The line (1-based) of `text` without its end, or empty when there is none.
[[nodiscard]] std::string_view line_in(std::string_view text, std::uint32_t number);

/// A key that an object holds twice (compared after unescaping). Two readers may see two files.
struct Duplicate {
  std::string key;
  std::uint64_t offset = 0;        ///< byte of the later key's opening quote
  std::uint64_t first_offset = 0;  ///< byte of the first one
};

class Value;
class Document;
[[nodiscard]] Result<std::shared_ptr<const Document>> parse(std::string text);

/// One parsed document. Owns its text; values are views into it and must not outlive it. Immutable
/// after parse, so const methods are thread-safe.
class Document {
 public:
  struct Node {
    Kind kind = Kind::null;
    bool flag = false;        ///< boolean: its value; string: it needed unescaping
    std::uint32_t begin = 0;  ///< first byte of the value (strings: after the quote)
    std::uint32_t end = 0;    ///< one past the last byte (strings: before the quote)
    std::uint32_t next = 0;   ///< index of the node after this subtree
    std::uint32_t count = 0;  ///< members or elements; escaped strings: index into unescaped_
  };

  [[nodiscard]] Value root() const;

  [[nodiscard]] std::string_view text() const { return text_; }

  [[nodiscard]] const std::vector<Duplicate>& duplicates() const { return duplicates_; }

  [[nodiscard]] Position position(std::uint64_t offset) const { return position_in(text_, offset); }

  /// The source line (1-based) without its end, or empty when there is none.
  [[nodiscard]] std::string_view line(std::uint32_t number) const { return line_in(text_, number); }

 private:
  friend class Value;
  friend class Builder;
  friend Result<std::shared_ptr<const Document>> parse(std::string text);
  std::string text_;
  std::vector<Node> nodes_;
  std::deque<std::string> unescaped_;
  std::vector<Duplicate> duplicates_;
};

/// Parses one strict JSON text (RFC 8259, UTF-8, no byte order mark, nothing after the end).
/// Duplicate keys do not fail: they are listed, in file order. Errors: format, with the byte
/// offset; limit (nesting above kJsonDepth, a number literal above kNumberChars, text above 4 GiB).
/// A fraction or exponent beyond the largest double is a format error; an integer of any size is
/// kept as written.
[[nodiscard]] Result<std::shared_ptr<const Document>> parse(std::string text);

/// One member of an object; defined below.
struct Member;

/// A value inside a Document; cheap to copy. A default-made Value is absent: it has no kind, finds
/// nothing, converts to nothing, so lookups chain without checks.
class Value {
 public:
  Value() = default;

  [[nodiscard]] explicit operator bool() const { return document_ != nullptr; }

  [[nodiscard]] Kind kind() const { return node().kind; }

  [[nodiscard]] bool is(Kind kind) const { return document_ != nullptr && node().kind == kind; }

  /// Text of a string, unescaped.
  [[nodiscard]] std::optional<std::string_view> string() const;
  /// An exact integer; empty for fractions, exponents, other kinds and values outside int64.
  [[nodiscard]] std::optional<std::int64_t> integer() const;
  [[nodiscard]] std::optional<std::uint64_t> unsigned_integer() const;
  [[nodiscard]] std::optional<double> number() const;
  [[nodiscard]] std::optional<bool> boolean() const;

  /// Elements or members.
  [[nodiscard]] std::size_t size() const;
  /// Member of an object by key; of duplicates the last, as the loaders read it. Absent when there
  /// is none. Linear in the number of members.
  [[nodiscard]] Value find(std::string_view key) const;
  [[nodiscard]] Member member(std::string_view key) const;

  /// Calls `visit(Value)` for each element of an array.
  template <class Visit>
  void each(Visit&& visit) const;
  /// Calls `visit(const Member&)` for each member of an object, in file order.
  template <class Visit>
  void each_member(Visit&& visit) const;

  [[nodiscard]] std::uint64_t offset() const;      ///< first byte (strings: the quote)
  [[nodiscard]] std::uint64_t end_offset() const;  ///< one past the last byte
  [[nodiscard]] Position position() const;

  [[nodiscard]] const Document* document() const { return document_; }

  /// The bytes of the value as written.
  [[nodiscard]] std::string_view raw() const;

 private:
  friend class Document;
  friend class Builder;

  Value(const Document* document, std::uint32_t index) : document_(document), index_(index) {}

  [[nodiscard]] const Document::Node& node() const { return document_->nodes_[index_]; }

  [[nodiscard]] std::string_view string_text() const;

  const Document* document_ = nullptr;
  std::uint32_t index_ = 0;
};

struct Member {
  Value key;  ///< a string value, for its place
  std::string_view name;
  Value value;
};

/// Appends one reference token to a JSON pointer (RFC 6901: `~` and `/` escaped).
[[nodiscard]] std::string pointer_append(std::string_view pointer, std::string_view token);

/// `text` as a JSON string literal, with its quotes; UTF-8 stays as it is.
[[nodiscard]] std::string quoted(std::string_view text);

template <class Visit>
void Value::each(Visit&& visit) const {
  if (!is(Kind::array)) return;
  for (std::uint32_t i = index_ + 1; i < node().next; i = document_->nodes_[i].next) {
    visit(Value(document_, i));
  }
}

template <class Visit>
void Value::each_member(Visit&& visit) const {
  if (!is(Kind::object)) return;
  for (std::uint32_t i = index_ + 1; i < node().next;) {
    const Value key(document_, i);
    const Value value(document_, i + 1);
    visit(Member{key, key.string_text(), value});
    i = value.node().next;
  }
}

}  // namespace ckpt::json
