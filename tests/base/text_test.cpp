#include "validator/base/text.h"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <set>
#include <string>

#include "validator/base/result.h"

using namespace ckpt;

TEST_CASE("shown: nothing that acts on a terminal or hides passes") {
  struct Case {
    std::string_view text;
    const char* want;
  };

  for (const Case& c :
       {Case{"plain \xC3\xA9 \xE6\xBC\xA2", "plain \xC3\xA9 \xE6\xBC\xA2"},
        Case{"\x1b[31m", R"(\x1b[31m)"}, Case{"a\r\nb\t", R"(a\x0d\x0ab\x09)"},
        Case{std::string_view("a\0b", 3), R"(a\x00b)"}, Case{"\x7f", R"(\x7f)"},
        Case{"\xC2\x9B", R"(\u{9b})"},        // C1: CSI
        Case{"\xE2\x80\xAE", R"(\u{202e})"},  // right-to-left override
        Case{"\xE2\x81\xA6", R"(\u{2066})"},  // isolate
        Case{"\xD8\x9C", R"(\u{61c})"},       // Arabic letter mark
        Case{"\xE2\x80\x8B", R"(\u{200b})"},  // zero width space
        Case{"\xC2\xAD", R"(\u{ad})"},        // soft hyphen
        Case{"\xE3\x85\xA4", R"(\u{3164})"},  // Hangul filler
        Case{"\xEF\xB8\x8F", R"(\u{fe0f})"},  // variation selector
        Case{"\xEF\xBB\xBF", R"(\u{feff})"},
        Case{"\xF3\xA0\x81\xA1", R"(\u{e0061})"},  // tag letter
        Case{"\xFF\xC3", R"(\xff\xc3)"}, Case{"\xC0\x80", R"(\xc0\x80)"},
        Case{"\xED\xA0\x80", R"(\xed\xa0\x80)"}, Case{"\xF4\x90\x80\x80", R"(\xf4\x90\x80\x80)"}}) {
    CHECK(shown(c.text) == c.want);
  }
}

TEST_CASE("shown: a backslash cannot imitate an escape, and patterns stay readable") {
  CHECK(shown(R"(.*model\.layers\.0)") == R"(.*model\.layers\.0)");
  CHECK(shown(R"(\x1b)") == R"(\x5cx1b)");
  CHECK(shown(R"(\u{202e})") == R"(\x5cu{202e})");
  CHECK(shown(R"(\x1b)") != shown("\x1b"));
}

TEST_CASE("shown: long text is cut by characters") {
  CHECK(shown(std::string(200, 'a')).size() == 200);
  CHECK(shown(std::string(201, 'a')) == std::string(200, 'a') + "...");
  CHECK(shown("\xC3\xA9\xC3\xA9\xC3\xA9", 2) == "\xC3\xA9\xC3\xA9...");
  CHECK(shown("abc", 0) == "...");
  CHECK(shown("", 0).empty());
}

TEST_CASE("shown_ascii: look-alikes differ") {
  CHECK(shown_ascii("l\xD0\xBE") == R"(l\u{43e})");
  CHECK(shown_ascii("lo") == "lo");
}

TEST_CASE("shown: every single byte gives printable ASCII, and no two the same") {
  std::set<std::string> seen;
  for (int byte = 0; byte < 256; ++byte) {
    const std::string out = shown_ascii(std::string(1, static_cast<char>(byte)));
    for (const char c : out) CHECK((c >= 0x20 && c < 0x7F));
    seen.insert(out);
  }
  CHECK(seen.size() == 256);
}

TEST_CASE("shorten_middle: keeps both ends and the width") {
  CHECK(shorten_middle("short", 10) == "short");
  CHECK(shorten_middle("0123456789abcdef", 9) == "012...def");
  CHECK(shorten_middle("0123456789abcdef", 10) == "012...cdef");
  const std::string accents =
      "\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9";
  CHECK(display_length(shorten_middle(accents, 8)) == 8);
}

TEST_CASE("with_commas: groups of three") {
  CHECK(with_commas(0) == "0");
  CHECK(with_commas(999) == "999");
  CHECK(with_commas(1000) == "1,000");
  CHECK(with_commas(122061) == "122,061");
  CHECK(with_commas(1000000) == "1,000,000");
  CHECK(with_commas(std::numeric_limits<std::uint64_t>::max()) == "18,446,744,073,709,551,615");
}

TEST_CASE("bytes_text: powers of ten, one digit, never 1000.0") {
  CHECK(bytes_text(0) == "0 bytes");
  CHECK(bytes_text(999) == "999 bytes");
  CHECK(bytes_text(1000) == "1.0 kB");
  CHECK(bytes_text(999949) == "999.9 kB");
  CHECK(bytes_text(999950) == "1.0 MB");
  CHECK(bytes_text(138823000000) == "138.8 GB");
  CHECK(bytes_text(std::numeric_limits<std::uint64_t>::max()) == "18.4 EB");
}

TEST_CASE("parse_size: decimal and binary units, and nothing else") {
  struct Case {
    const char* text;
    std::uint64_t bytes;
  };

  for (const Case& c :
       {Case{"0", 0}, Case{"1024", 1024}, Case{"16G", 16000000000}, Case{"16GB", 16000000000},
        Case{"16Gi", 17179869184}, Case{"16GiB", 17179869184}, Case{"512M", 512000000},
        Case{"1.5k", 1500}, Case{"2K", 2000}, Case{"2Ki", 2048}, Case{"1T", 1000000000000},
        Case{"7B", 7}}) {
    CAPTURE(c.text);
    std::uint64_t bytes = 1;
    REQUIRE(parse_size(c.text, bytes));
    CHECK(bytes == c.bytes);
  }
  for (const char* text : {"", "G", "-1", "nan", "inf", "1e300", "16X", "16Gx", "16Gii", " 16G",
                           "16 G", "0x10", "9999999T"}) {
    CAPTURE(text);
    std::uint64_t bytes = 1;
    CHECK_FALSE(parse_size(text, bytes));
    CHECK(bytes == 1);
  }
}

TEST_CASE("display_length: code points, not bytes") {
  CHECK(display_length("") == 0);
  CHECK(display_length("a\xC3\xA9\xF0\x9F\x99\x82") == 3);
}

TEST_CASE("number_as: NaN has one spelling, whatever the format") {
  CHECK(number_as("{:.2f}", 1.234) == "1.23");
  CHECK(number_as("{:+.2f} %", 1.234) == "+1.23 %");
  for (const char* format : {"{:.2f}", "{:+.2f} %", "{:.3g}"}) {
    CHECK(number_as(format, std::nan("")) == "NaN");
    CHECK(number_as(format, -std::nan("")) == "NaN");
  }
}

TEST_CASE("an error's context is put in front once") {
  const Error plain{ErrorKind::io, "no such file"};
  CHECK(Error(plain).in("state").in("journal").in("journal").message ==
        "journal: state: no such file");
  CHECK(Error(plain).in("no such").message == "no such: no such file");
  CHECK(Error{ErrorKind::io, "journal of another run"}.in("journal").message ==
        "journal: journal of another run");
}

TEST_CASE("nearest: within two edits, of equals the first") {
  const std::vector<std::string> words{"group_size", "group_sizes", "bits", "sym", ""};
  CHECK(nearest("group_size", words) == "group_size");
  CHECK(nearest("groupsize", words) == "group_size");
  CHECK(nearest("gruop_size", words) == "group_size");
  CHECK(nearest("bit", words) == "bits");
  CHECK(nearest("completely", words).empty());
  CHECK(nearest("", words).empty());
  CHECK(nearest("x", {}).empty());
  CHECK(nearest(std::string(1U << 20, 'a'), {std::string(100, 'a')}).empty());
}

TEST_CASE("parse_index: the exact grammar, so that nothing folds onto a real number") {
  CHECK(parse_index("0") == 0);
  CHECK(parse_index("7") == 7);
  CHECK(parse_index("999999") == 999999);
  for (const std::string_view text :
       {"", "00", "007", "+7", "-7", " 7", "7 ", "1000000", "4294967303", "0x7", "7.0", "1e1",
        "\xD9\xA7", "\xEF\xBC\x97"}) {
    CAPTURE(text);
    CHECK(parse_index(text) == -1);
  }
  CHECK(parse_index(std::string_view("7\0", 2)) == -1);
}
