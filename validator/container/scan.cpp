#include "validator/container/scan.h"

#include <bit>
#include <cstring>

#include "validator/base/bits.h"
#include "validator/base/limits.h"

namespace ckpt::container {
namespace {

/// Mixes eight bytes a step (the multiply-and-fold step of the wyhash family).
std::uint64_t hash_of(std::string_view s) {
  constexpr std::uint64_t kA = 0x9E3779B97F4A7C15ULL;
  constexpr std::uint64_t kB = 0xD1B54A32D192ED03ULL;
  const auto fold = [](std::uint64_t x, std::uint64_t y) {
    __extension__ using Wide = unsigned __int128;
    const Wide w = static_cast<Wide>(x) * y;
    return static_cast<std::uint64_t>(w) ^ static_cast<std::uint64_t>(w >> 64);
  };
  const auto* p = reinterpret_cast<const std::byte*>(s.data());
  std::uint64_t h = kA ^ s.size();
  std::size_t n = s.size();
  for (; n >= 8; n -= 8, p += 8) h = fold(h ^ load<std::uint64_t>(p), kB);
  std::uint64_t tail = 0;
  std::memcpy(&tail, p, n);
  return fold(h ^ tail, kB ^ kA);
}

/// Whether all names differ. Gives up (false) as well when two share a hash, or when so many fall
/// on the same slots that only an adversary can have chosen them.
template <class Entries, class Name>
bool all_distinct(const Entries& entries, Name&& name) {
  const std::size_t slots = std::bit_ceil(2 * entries.size() + 2);
  std::vector<std::uint64_t> table(slots, 0);
  std::uint64_t probes = 8 * entries.size() + 64;
  for (const auto& e : entries) {
    const std::uint64_t h = hash_of(name(e)) | 1U;  // 0 marks a free slot
    for (std::size_t at = (h >> 1) & (slots - 1);; at = (at + 1) & (slots - 1)) {
      if (table[at] == h || probes-- == 0) return false;
      if (table[at] != 0) continue;
      table[at] = h;
      break;
    }
  }
  return true;
}

/// A place in a JSON text. Every function returns false, and then the scan is over, when the text
/// goes on in another way than asked.
class Cursor {
 public:
  explicit Cursor(std::string_view text)
      : begin_(text.data()), p_(begin_), end_(p_ + text.size()) {}

  [[nodiscard]] std::uint64_t offset() const { return static_cast<std::uint64_t>(p_ - begin_); }

  void space() {
    while (p_ != end_ && (*p_ == ' ' || *p_ == '\n' || *p_ == '\r' || *p_ == '\t')) ++p_;
  }

  /// White space, then `c`.
  bool take(char c) {
    space();
    if (p_ == end_ || *p_ != c) return false;
    ++p_;
    return true;
  }

  [[nodiscard]] bool done() {
    space();
    return p_ == end_;
  }

  /// A string of printable ASCII without escapes.
  bool string(std::string_view& out) {
    if (!take('"')) return false;
    const void* quote = std::memchr(p_, '"', static_cast<std::size_t>(end_ - p_));
    if (quote == nullptr) return false;
    const auto n = static_cast<std::size_t>(static_cast<const char*>(quote) - p_);
    out = {p_, n};
    unsigned bad = 0;
    for (const char c : out) {
      bad |= static_cast<unsigned>(static_cast<unsigned char>(c - 0x20) > 0x5E) |
             static_cast<unsigned>(c == '\\');
    }
    p_ += n + 1;
    return bad == 0;
  }

  /// A whole number from 0 to 2^64-1 in JSON's spelling.
  bool number(std::uint64_t& out) {
    space();
    const char* first = p_;
    std::uint64_t v = 0;
    for (; p_ != end_ && *p_ >= '0' && *p_ <= '9'; ++p_) {
      const auto digit = static_cast<std::uint64_t>(*p_ - '0');
      // Nineteen digits cannot wrap; a twentieth might.
      if (p_ - first >= 19 && (v > 1844674407370955161ULL || p_ - first > 19 ||
                               (v == 1844674407370955161ULL && digit > 5))) {
        return false;
      }
      v = v * 10 + digit;
    }
    out = v;
    return p_ != first && (*first != '0' || p_ - first == 1);
  }

  /// `[n, n, ...]`, appended to `out`; at most `max` of them.
  bool numbers(std::vector<std::uint64_t>& out, std::size_t max, std::size_t& count) {
    count = 0;
    if (!take('[')) return false;
    if (take(']')) return true;
    do {
      std::uint64_t v = 0;
      if (count == max || !number(v)) return false;
      out.push_back(v);
      ++count;
    } while (take(','));
    return take(']');
  }

  /// Steps over an object without judging what is inside.
  bool skip_object(std::string_view& out) {
    space();
    const char* first = p_;
    int depth = 0;
    for (bool quoted = false; p_ != end_; ++p_) {
      if (quoted) {
        if (*p_ == '\\') {
          if (++p_ == end_) return false;
        } else {
          quoted = *p_ != '"';
        }
        continue;
      }
      if (p_ == first && *p_ != '{') return false;
      quoted = *p_ == '"';
      depth += static_cast<int>(*p_ == '{') - static_cast<int>(*p_ == '}');
      if (depth > 0) continue;
      ++p_;
      out = {first, static_cast<std::size_t>(p_ - first)};
      return true;
    }
    return false;
  }

 private:
  const char* begin_;
  const char* p_;
  const char* end_;
};

/// `{ "key": value, ... }`: calls `member(key)`, which must read the value.
template <class Member>
bool object(Cursor& c, Member&& member) {
  if (!c.take('{')) return false;
  if (c.take('}')) return true;
  do {
    std::string_view key;
    if (!c.string(key) || !c.take(':') || !member(key)) return false;
  } while (c.take(','));
  return c.take('}');
}

/// One dtype after the other is the same: remembers the last.
class DtypeReader {
 public:
  bool read(std::string_view text, Dtype& out) {
    if (text != last_text_ || text.empty()) {
      const auto parsed = parse_dtype(text);
      if (!parsed) return false;
      last_text_ = text;
      last_ = *parsed;
    }
    out = last_;
    return true;
  }

 private:
  std::string_view last_text_;
  Dtype last_ = Dtype::u8;
};

bool scan_entry(Cursor& c, DtypeReader& dtypes, HeaderScan& out, ScannedTensor& t) {
  unsigned seen = 0;
  std::vector<std::uint64_t>& dims = out.dims;
  const bool well_formed = object(c, [&](std::string_view key) {
    if (key == "dtype") {
      std::string_view text;
      seen += 1;
      return c.string(text) && dtypes.read(text, t.dtype);
    }
    std::size_t n = 0;
    if (key == "shape") {
      seen += 8;
      t.dims = static_cast<std::uint32_t>(dims.size());
      if (!c.numbers(dims, limits::kRank, n)) return false;
      t.rank = static_cast<std::uint16_t>(n);
      return true;
    }
    if (key != "data_offsets") return false;
    seen += 64;
    if (!c.numbers(dims, 2, n) || n != 2) return false;
    t.end = dims.back();
    t.begin = dims[dims.size() - 2];
    dims.resize(dims.size() - 2);
    return true;
  });
  if (!well_formed || seen != 1 + 8 + 64 || t.end < t.begin) return false;
  const auto bytes = byte_count(t.dtype, std::span(dims).subspan(t.dims, t.rank));
  return bytes && *bytes == t.end - t.begin;
}

}  // namespace

bool scan_header(std::string_view text, HeaderScan& out) {
  if (text.size() > limits::kHeaderBytes || text.empty() || text[0] != '{') return false;
  constexpr std::size_t kTypicalEntry = 100;
  out.tensors.reserve(text.size() / kTypicalEntry);
  out.dims.reserve(2 * text.size() / kTypicalEntry);
  Cursor c(text);
  DtypeReader dtypes;
  const bool well_formed = object(c, [&](std::string_view name) {
    if (name == "__metadata__") {
      return out.metadata.data() == nullptr && c.skip_object(out.metadata);
    }
    ScannedTensor t;
    t.name = name;
    if (name.size() > limits::kNameWarnBytes || !scan_entry(c, dtypes, out, t)) return false;
    out.tensors.push_back(t);
    return true;
  });
  return well_formed && c.done() && all_distinct(out.tensors, [](const auto& t) { return t.name; });
}

bool scan_index(std::string_view text, IndexScan& out) {
  constexpr std::size_t kTypicalEntry = 90;
  bool map = false;
  Cursor c(text);
  const bool well_formed = object(c, [&](std::string_view key) {
    if (key == "metadata") return out.metadata.data() == nullptr && c.skip_object(out.metadata);
    if (key != "weight_map" || map) return false;
    map = true;
    out.entries.reserve(text.size() / kTypicalEntry);
    return object(c, [&](std::string_view tensor) {
      IndexEntry e;
      e.tensor = tensor;
      c.space();
      e.offset = c.offset();
      if (!c.string(e.file)) return false;
      out.entries.push_back(e);
      return true;
    });
  });
  return well_formed && c.done() && !out.entries.empty() &&
         all_distinct(out.entries, [](const auto& e) { return e.tensor; });
}

}  // namespace ckpt::container
