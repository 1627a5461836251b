#include "validator/tokenizer/unicode.h"

#include <doctest/doctest.h>

#include <string>

#include "validator/tokenizer/byte_level.h"

using namespace ckpt::tokenizer;

TEST_CASE("unicode: every code point survives encoding and decoding, surrogates do not") {
  for (std::uint32_t code = 0; code <= 0x10FFFF; ++code) {
    if (code >= 0xD800 && code < 0xE000) continue;
    std::string s;
    append_utf8(s, code);
    const auto first = first_code_point(s);
    REQUIRE(first.has_value());
    REQUIRE(first->code == code);
    REQUIRE(first->length == s.size());
    const auto last = last_code_point(std::string("ab") + s);
    REQUIRE(last.has_value());
    REQUIRE(last->code == code);
  }
  for (const char* bad :
       {"\xED\xA0\x80", "\xED\xBF\xBF", "\xF4\x90\x80\x80", "\xC1\xBF", "\xE0\x9F\xBF"}) {
    CHECK_FALSE(first_code_point(bad).has_value());
    CHECK_FALSE(last_code_point(bad).has_value());
  }
  CHECK_FALSE(first_code_point("").has_value());
  CHECK_FALSE(last_code_point("").has_value());
}

TEST_CASE("unicode: invalid parts become one replacement character each, as Rust counts them") {
  struct Case {
    const char* bytes;
    const char* want;
  };

  // The examples of Rust's String::from_utf8_lossy and of Unicode 15, table 3-8 and following.
  for (const Case c : {Case{"ab", "ab"},
                       {"Hello \xF0\x90\x80World", "Hello \xEF\xBF\xBDWorld"},
                       {"\xF1\x80\x80\x41", "\xEF\xBF\xBD\x41"},
                       {"\xC0\xAF", "\xEF\xBF\xBD\xEF\xBF\xBD"},
                       {"\xE2\x82", "\xEF\xBF\xBD"},
                       {"\xED\xA0\x80", "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD"},
                       {"\xF4\x91\x92\x93", "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD"},
                       {"\x80", "\xEF\xBF\xBD"}}) {
    CHECK(utf8_lossy(c.bytes) == c.want);
  }
}

TEST_CASE("unicode: NFC composes, orders, and leaves ASCII alone") {
  struct Case {
    const char* text;
    const char* want;
  };

  for (const Case c : {Case{"", ""},
                       {"plain text", "plain text"},
                       {"e\u0301", "\u00e9"},
                       {"xe\u0301y", "x\u00e9y"},
                       {"\u212b", "\u00c5"},
                       {"q\u0307\u0323", "q\u0323\u0307"},
                       {"\u1100\u1161\u11a8", "\uac01"},
                       {"\u0958", "\u0915\u093c"},  // excluded from composition
                       {"\u0344", "\u0308\u0301"},
                       {"\u00e9\u0301e\u0301", "\u00e9\u0301\u00e9"},
                       {"a\n\u0301", "a\n\u0301"},
                       {"\u0301", "\u0301"}}) {
    CHECK(nfc(c.text) == c.want);
    CHECK(nfc(nfc(c.text)) == c.want);
  }
  CHECK(nfc(std::string("a\0e\xCC\x81", 5)) == std::string("a\0\xC3\xA9", 4));
}

TEST_CASE("unicode: white space has 25 members, the Mongolian vowel separator is none") {
  int n = 0;
  for (std::uint32_t code = 0; code <= 0x10FFFF; ++code) n += is_white_space(code) ? 1 : 0;
  CHECK(n == 25);
  CHECK_FALSE(is_white_space(0x180E));
  CHECK_FALSE(is_white_space(0x200B));
}

TEST_CASE("unicode: word characters are letters, marks, decimal digits and connectors") {
  for (const std::uint32_t c :
       {0x61U, 0x5FU, 0x39U, 0xE9U, 0x301U, 0x4E2DU, 0x2167U, 0x24B6U, 0x200DU})
    CHECK(is_word(c));
  for (const std::uint32_t c : {0x20U, 0x2DU, 0x2460U, 0xB2U, 0x1F600U, 0x3002U})
    CHECK_FALSE(is_word(c));
}

TEST_CASE("byte level: the alphabet is one to one, and foreign tokens stand for themselves") {
  std::string all;
  for (int byte = 0; byte < 256; ++byte) all.push_back(static_cast<char>(byte));
  CHECK(from_byte_alphabet(to_byte_alphabet(all)) == all);
  CHECK(to_byte_alphabet(" \n") == "\u0120\u010a");
  CHECK(to_byte_alphabet("A~") == "A~");
  CHECK(from_byte_alphabet("\u4e2d") == "\u4e2d");
  CHECK(from_byte_alphabet("a b") == "a b");  // a space is not in the alphabet
}
