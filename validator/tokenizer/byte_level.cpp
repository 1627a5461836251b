#include "validator/tokenizer/byte_level.h"

#include <array>
#include <cstdint>

#include "validator/tokenizer/unicode.h"

namespace ckpt::tokenizer {
namespace {

constexpr std::uint32_t kFirstSubstitute = 256;

constexpr bool stands_for_itself(std::uint32_t byte) {
  return (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174;
}

struct Alphabet {
  std::array<std::uint32_t, 256> code{};                      ///< by byte
  std::array<std::int16_t, kFirstSubstitute + 68> byte_of{};  ///< by code point, -1 is none
};

constexpr Alphabet make_alphabet() {
  Alphabet a;
  a.byte_of.fill(-1);
  std::uint32_t next = kFirstSubstitute;
  for (std::uint32_t byte = 0; byte < 256; ++byte) {
    a.code[byte] = stands_for_itself(byte) ? byte : next++;
    a.byte_of[a.code[byte]] = static_cast<std::int16_t>(byte);
  }
  return a;
}

constexpr Alphabet kAlphabet = make_alphabet();

}  // namespace

void append_byte_char(std::string& out, unsigned char byte) {
  append_utf8(out, kAlphabet.code[byte]);
}

std::string to_byte_alphabet(std::string_view bytes) {
  std::string out;
  out.reserve(bytes.size() * 2);
  for (const char c : bytes) append_byte_char(out, static_cast<unsigned char>(c));
  return out;
}

std::string from_byte_alphabet(std::string_view token) {
  std::string out;
  for (std::string_view rest = token; !rest.empty();) {
    const auto c = first_code_point(rest);
    if (!c || c->code >= kAlphabet.byte_of.size() || kAlphabet.byte_of[c->code] < 0) {
      return std::string(token);
    }
    out.push_back(static_cast<char>(kAlphabet.byte_of[c->code]));
    rest.remove_prefix(c->length);
  }
  return out;
}

}  // namespace ckpt::tokenizer
