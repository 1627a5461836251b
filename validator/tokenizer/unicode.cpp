#include "validator/tokenizer/unicode.h"

#include <utf8proc.h>

#include <algorithm>
#include <array>
#include <vector>

namespace ckpt::tokenizer {
namespace {

bool is_ascii(char c) {
  return static_cast<unsigned char>(c) < 0x80;
}

/// Canonical decomposition of `text`, not yet in canonical order.
std::vector<utf8proc_int32_t> decompose(std::string_view text) {
  std::vector<utf8proc_int32_t> out;
  out.reserve(text.size());
  constexpr auto kOptions = static_cast<utf8proc_option_t>(UTF8PROC_STABLE | UTF8PROC_DECOMPOSE);
  for (auto c = first_code_point(text); c; c = first_code_point(text)) {
    std::array<utf8proc_int32_t, 32> part{};
    int boundary = 0;
    const auto n =
        utf8proc_decompose_char(static_cast<utf8proc_int32_t>(c->code), part.data(),
                                static_cast<utf8proc_ssize_t>(part.size()), kOptions, &boundary);
    out.insert(out.end(), part.begin(),
               part.begin() + std::clamp<std::ptrdiff_t>(n, 0, std::ssize(part)));
    text.remove_prefix(c->length);
  }
  return out;
}

utf8proc_propval_t combining_class(utf8proc_int32_t code) {
  return utf8proc_get_property(code)->combining_class;
}

/// Sorts each run of marks by combining class. utf8proc's own ordering is quadratic in the run.
void order_marks(std::vector<utf8proc_int32_t>& codes) {
  const auto is_mark = [](utf8proc_int32_t c) { return combining_class(c) != 0; };
  for (auto begin = codes.begin(); begin != codes.end();) {
    begin = std::find_if(begin, codes.end(), is_mark);
    const auto end = std::find_if_not(begin, codes.end(), is_mark);
    std::stable_sort(begin, end, [](utf8proc_int32_t a, utf8proc_int32_t b) {
      return combining_class(a) < combining_class(b);
    });
    begin = end;
  }
}

void append_nfc(std::string& out, std::string_view text) {
  std::vector<utf8proc_int32_t> codes = decompose(text);
  order_marks(codes);
  constexpr auto kOptions = static_cast<utf8proc_option_t>(UTF8PROC_STABLE | UTF8PROC_COMPOSE);
  const auto n = utf8proc_normalize_utf32(codes.data(), std::ssize(codes), kOptions);
  codes.resize(static_cast<std::size_t>(std::max<utf8proc_ssize_t>(n, 0)));
  for (const utf8proc_int32_t c : codes) append_utf8(out, static_cast<std::uint32_t>(c));
}

/// Bytes of the longest valid beginning of a character at the start of `s`, and how many the first
/// byte promises; 0 when no character begins like this (Unicode 15, section 3.9, table 3-7).
struct Beginning {
  std::size_t valid = 0;
  std::size_t wanted = 0;
};

Beginning beginning_of(std::string_view s) {
  const auto byte = [&s](std::size_t i) { return static_cast<unsigned char>(s[i]); };
  const unsigned char lead = byte(0);
  if (lead < 0x80) return {1, 1};
  if (lead < 0xC2 || lead > 0xF4) return {0, 1};
  const std::size_t wanted = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
  const unsigned char low = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
  const unsigned char high = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
  if (s.size() < 2 || byte(1) < low || byte(1) > high) return {1, wanted};
  std::size_t n = 2;
  while (n < wanted && n < s.size() && (byte(n) & 0xC0) == 0x80) ++n;
  return {n, wanted};
}

}  // namespace

std::optional<CodePoint> first_code_point(std::string_view text) {
  if (text.empty()) return std::nullopt;
  const auto [valid, wanted] = beginning_of(text);
  if (valid != wanted) return std::nullopt;
  std::uint32_t code = static_cast<unsigned char>(text[0]);
  if (wanted > 1) code &= 0x7FU >> wanted;
  for (std::size_t i = 1; i < wanted; ++i) {
    code = (code << 6) | (static_cast<unsigned char>(text[i]) & 0x3FU);
  }
  return CodePoint{code, wanted};
}

std::optional<CodePoint> last_code_point(std::string_view text) {
  std::size_t begin = text.size();
  while (begin > 0 && text.size() - begin < 4) {
    --begin;
    if ((static_cast<unsigned char>(text[begin]) & 0xC0) != 0x80) break;
  }
  const auto found = first_code_point(text.substr(begin));
  if (!found || found->length != text.size() - begin) return std::nullopt;
  return found;
}

std::optional<std::size_t> invalid_utf8_at(std::string_view text) {
  for (std::size_t i = 0; i < text.size();) {
    const auto c = first_code_point(text.substr(i));
    if (!c) return i;
    i += c->length;
  }
  return std::nullopt;
}

std::string utf8_lossy(std::string_view bytes) {
  std::string out;
  out.reserve(bytes.size());
  while (!bytes.empty()) {
    const std::size_t good = invalid_utf8_at(bytes).value_or(bytes.size());
    out += bytes.substr(0, good);
    bytes.remove_prefix(good);
    if (bytes.empty()) break;
    append_utf8(out, 0xFFFD);
    bytes.remove_prefix(std::max<std::size_t>(beginning_of(bytes).valid, 1));
  }
  return out;
}

void append_utf8(std::string& out, std::uint32_t code) {
  std::array<utf8proc_uint8_t, 4> bytes{};
  const auto n = utf8proc_encode_char(static_cast<utf8proc_int32_t>(code), bytes.data());
  for (std::size_t i = 0; i < static_cast<std::size_t>(n); ++i) {
    out.push_back(static_cast<char>(bytes[i]));
  }
}

std::string nfc(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  // No composition reaches back over an ASCII character, so a segment may start at each of them.
  while (!text.empty()) {
    const auto first_other = std::find_if_not(text.begin(), text.end(), is_ascii);
    auto plain = static_cast<std::size_t>(first_other - text.begin());
    if (plain == text.size()) return out.append(text);
    if (plain > 0) --plain;  // the last one may take a mark
    out += text.substr(0, plain);
    text.remove_prefix(plain);
    const auto end = std::find_if(text.begin() + 1, text.end(), is_ascii);
    const bool lone = is_ascii(text[0]) && end == text.begin() + 1;
    const auto stop = lone ? std::find_if(end, text.end(), is_ascii) : end;
    const auto length = static_cast<std::size_t>(stop - text.begin());
    append_nfc(out, text.substr(0, length));
    text.remove_prefix(length);
  }
  return out;
}

bool is_white_space(std::uint32_t c) {
  return (c >= 0x9 && c <= 0xD) || c == 0x20 || c == 0x85 || c == 0xA0 || c == 0x1680 ||
         (c >= 0x2000 && c <= 0x200A) || c == 0x2028 || c == 0x2029 || c == 0x202F || c == 0x205F ||
         c == 0x3000;
}

bool is_word(std::uint32_t c) {
  if (c == 0x200C || c == 0x200D) return true;
  // Alphabetic symbols: circled and squared letters.
  if ((c >= 0x24B6 && c <= 0x24E9) || (c >= 0x1F130 && c <= 0x1F149) ||
      (c >= 0x1F150 && c <= 0x1F169) || (c >= 0x1F170 && c <= 0x1F189)) {
    return true;
  }
  switch (utf8proc_category(static_cast<utf8proc_int32_t>(c))) {
    case UTF8PROC_CATEGORY_LU:
    case UTF8PROC_CATEGORY_LL:
    case UTF8PROC_CATEGORY_LT:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_LO:
    case UTF8PROC_CATEGORY_MN:
    case UTF8PROC_CATEGORY_MC:
    case UTF8PROC_CATEGORY_ME:
    case UTF8PROC_CATEGORY_ND:
    case UTF8PROC_CATEGORY_NL:
    case UTF8PROC_CATEGORY_PC:
      return true;
    default:
      return false;
  }
}

}  // namespace ckpt::tokenizer
