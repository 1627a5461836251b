#include "validator/base/json.h"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <cmath>
#include <limits>

#include <string>
#include <vector>

using namespace ckpt;
using json::Kind;

namespace {

std::shared_ptr<const json::Document> good(std::string text) {
  auto document = json::parse(std::move(text));
  REQUIRE_MESSAGE(document, document.error().message);
  return *document;
}

Error bad(std::string text) {
  const auto document = json::parse(std::move(text));
  REQUIRE_FALSE(document);
  return document.error();
}

std::string nested(char open, std::size_t depth, char close) {
  return std::string(depth, open) + std::string(depth, close);
}

}  // namespace

TEST_CASE("json: values of every kind are read") {
  const auto d =
      good(R"( {"s":"a\n\u00e9\ud83d\ude00","i":-7,"u":18446744073709551615,"d":2.5e1,"t":true,)"
           R"("f":false,"z":null,"a":[1,[],{}],"o":{"k":{"k":2}}} )");
  const json::Value root = d->root();
  CHECK(root.kind() == Kind::object);
  CHECK(root.size() == 9);
  CHECK(root.find("s").string() == "a\n\xC3\xA9\xF0\x9F\x98\x80");
  CHECK(root.find("i").integer() == -7);
  CHECK(root.find("u").unsigned_integer() == 18446744073709551615ULL);
  CHECK_FALSE(root.find("u").integer().has_value());
  CHECK(root.find("d").number() == 25.0);
  CHECK_FALSE(root.find("d").integer().has_value());
  CHECK(root.find("t").boolean() == true);
  CHECK(root.find("f").boolean() == false);
  CHECK(root.find("z").is(Kind::null));
  CHECK(root.find("a").size() == 3);
  CHECK(root.find("o").find("k").find("k").integer() == 2);
  CHECK(root.find("a").raw() == "[1,[],{}]");
}

TEST_CASE("json: an absent value finds and converts to nothing") {
  const auto d = good("{}");
  const json::Value absent = d->root().find("a").find("b");
  CHECK_FALSE(static_cast<bool>(absent));
  CHECK_FALSE(absent.is(Kind::null));
  CHECK_FALSE(absent.string().has_value());
  CHECK_FALSE(absent.integer().has_value());
  CHECK_FALSE(absent.unsigned_integer().has_value());
  CHECK_FALSE(absent.number().has_value());
  CHECK_FALSE(absent.boolean().has_value());
  CHECK(absent.size() == 0);
  CHECK(absent.raw().empty());
  CHECK(absent.offset() == 0);
  absent.each([](const json::Value&) { FAIL("an element of nothing"); });
  absent.each_member([](const json::Member&) { FAIL("a member of nothing"); });
}

TEST_CASE("json: elements and members come in file order, whatever stands inside them") {
  const auto d = good(R"({"b":[{"x":[1,2]},3],"a":{"q":[]},"":"c"})");
  std::vector<std::string> keys;
  d->root().each_member([&](const json::Member& m) { keys.emplace_back(m.name); });
  CHECK(keys == std::vector<std::string>{"b", "a", ""});
  std::vector<Kind> kinds;
  d->root().find("b").each([&](const json::Value& v) { kinds.push_back(v.kind()); });
  CHECK(kinds == std::vector<Kind>{Kind::object, Kind::number});
}

TEST_CASE("json: integers are exact or nothing") {
  struct Case {
    const char* literal;
    std::optional<std::int64_t> integer;
    std::optional<std::uint64_t> unsigned_integer;
  };

  const std::int64_t lowest = std::numeric_limits<std::int64_t>::min();
  for (const Case& c :
       {Case{"0", 0, 0U}, Case{"-0", {}, {}}, Case{"-1", -1, {}}, Case{"1.0", {}, {}},
        Case{"1e0", {}, {}}, Case{"9007199254740993", 9007199254740993, 9007199254740993U},
        Case{"9223372036854775807", 9223372036854775807, 9223372036854775807U},
        Case{"9223372036854775808", {}, 9223372036854775808U},
        Case{"-9223372036854775808", lowest, {}}, Case{"-9223372036854775809", {}, {}},
        Case{"18446744073709551615", {}, 18446744073709551615U},
        Case{"18446744073709551616", {}, {}}}) {
    CAPTURE(c.literal);
    const auto d = good(c.literal);
    CHECK(d->root().integer() == c.integer);
    CHECK(d->root().unsigned_integer() == c.unsigned_integer);
  }
}

TEST_CASE("json: an integer above 64 bits is legal, as tokenizers write it") {
  const auto d = good(R"({"model_max_length": 1000000000000000019884624838656, "a": "\u0041"})");
  const json::Value v = d->root().find("model_max_length");
  CHECK_FALSE(v.integer().has_value());
  CHECK(v.number() == 1e30);
  CHECK(v.raw() == "1000000000000000019884624838656");
  CHECK(d->root().find("a").string() == "A");
}

TEST_CASE("json: numbers too small for a double read as zero, too large ones are refused") {
  CHECK(good("1e-999")->root().number() == 0.0);
  CHECK(std::signbit(good("-1e-999")->root().number().value()));
  CHECK(good("5e-324")->root().number() == 5e-324);
  CHECK(bad("[1e999]").message.find("byte 1: ") == 0);
  CHECK(bad("[1e999]").message.find("double") != std::string::npos);
}

TEST_CASE("json: a number of 64 characters is read, one of 65 hits the limit") {
  for (const char* start : {"0.", "1", "1.5", "-1"}) {
    CAPTURE(start);
    const std::string s(start);
    const std::string at_limit = s + std::string(limits::kNumberChars - s.size(), '7');
    CHECK(good(at_limit)->root().raw() == at_limit);
    const Error e = bad("[" + at_limit + "7]");
    CHECK(e.kind == ErrorKind::limit);
    CHECK(e.message == "byte 1: a number of 65 characters, limit 64");
  }
}

TEST_CASE("json: zeros after the point do not count towards the limit of a number") {
  const std::string tiny = "-0." + std::string(100000, '0') + "1";
  CHECK(good(tiny)->root().number() == 0.0);
  CHECK(good("0." + std::string(100, '0') + "25e101")->root().number() == 2.5);
  CHECK(bad("0." + std::string(100, '0') + std::string(63, '7')).kind == ErrorKind::limit);
  CHECK(bad("0." + std::string(100, '0') + "." + std::string(62, '7')).kind == ErrorKind::format);
}

TEST_CASE("json: 128 levels are read, 129 hit the limit") {
  CHECK(good(nested('[', limits::kJsonDepth, ']'))->root().size() == 1);
  good(std::string(128, '[') + "7" + std::string(128, ']'));
  std::string objects;
  for (int i = 0; i < 127; ++i) objects += R"({"a":)";
  good(objects + "{}" + std::string(127, '}'));
  for (const std::string& text :
       {nested('[', 129, ']'), objects + R"({"a":{}})" + std::string(127, '}'),
        std::string(129, '['), std::string(1000000, '['), nested('[', 1000000, ']')}) {
    const Error e = bad(text);
    CHECK(e.kind == ErrorKind::limit);
    CHECK(e.message.find("nesting above the limit of 128 levels") != std::string::npos);
  }
}

TEST_CASE("json: what is wrong is said with its byte") {
  struct Case {
    std::string text;
    const char* message;
  };

  for (const Case& c : {
           Case{"", "byte 0: empty: no JSON value"},
           Case{" \n", "byte 2: empty: no JSON value"},
           Case{"\xEF\xBB\xBF{}", "byte 0: a byte order mark, which JSON readers refuse"},
           Case{R"({"a":1}x)", "byte 7: text after the end of the JSON value, found `x`"},
           Case{std::string("{}\0\0", 4),
                "byte 2: text after the end of the JSON value, found "
                R"(`\x00\x00`)"},
           Case{"[1,]", "byte 3: expected a value, found `]`"},
           Case{"[1 2]", "byte 3: expected `,` or `]`, found `2]`"},
           Case{R"({"a" 1})", "byte 5: expected `:`, found `1}`"},
           Case{R"({"a":1,})", "byte 7: expected a key in double quotes, found `}`"},
           Case{"{a:1}", "byte 1: expected a key in double quotes, found `a:1}`"},
           Case{R"({"a":1 "b":2})", R"(byte 7: expected `,` or `}`, found `"b":2}`)"},
           Case{"[nul]", "byte 1: expected a value, found `nul]`"},
           Case{"[True]", "byte 1: expected a value, found `True]`"},
           Case{"[NaN]", "byte 1: expected a value, found `NaN]`"},
           Case{"[01]", "byte 1: a malformed number, found `01]`"},
           Case{"[1.]", "byte 1: a malformed number, found `1.]`"},
           Case{"[", "byte 1: expected a value, found the end"},
           Case{R"(["ab)", "byte 1: a string is not closed"},
           Case{"[\"a\tb\"]",
                R"(byte 3: a raw control character inside a string, found `\x09b"]`)"},
           Case{R"(["\q"])", R"(byte 2: a bad escape inside a string, found `\q"]`)"},
           Case{R"(["\ud800"])", "byte 2: a lone surrogate escape"},
           Case{R"(["a\udc00"])", "byte 3: a lone surrogate escape"},
           Case{"[\"a\xFF\"]", "byte 3: not valid UTF-8"},
           Case{"[\"\xC3\xA9\xC0\x80\"]", "byte 4: not valid UTF-8"},
       }) {
    CAPTURE(c.text);
    const Error e = bad(c.text);
    CHECK(e.kind == ErrorKind::format);
    CHECK(e.message == c.message);
  }
}

TEST_CASE("json: text from the file is escaped in messages") {
  CHECK(bad("[\x1b[31m]").message.find('\x1b') == std::string::npos);
}

TEST_CASE("json: positions count lines and code points from 1") {
  const auto d = good("{\n  \"\xC3\xA9\": [1,\r\n\t22]\n}");
  const json::Member m = d->root().member("\xC3\xA9");
  CHECK(m.key.position().line == 2);
  CHECK(m.key.position().column == 3);
  CHECK(m.value.position().column == 8);  // the letter of two bytes counts once
  CHECK(m.value.offset() == 10);
  CHECK(m.key.offset() == 4);
  CHECK(m.key.end_offset() == 8);
  std::vector<json::Position> places;
  m.value.each([&](const json::Value& v) { places.push_back(v.position()); });
  REQUIRE(places.size() == 2);
  CHECK(places[1].line == 3);
  CHECK(places[1].column == 2);
  CHECK(d->line(1) == "{");
  CHECK(d->line(2) == "  \"\xC3\xA9\": [1,");
  CHECK(d->line(4) == "}");
  CHECK(d->line(5).empty());
}

TEST_CASE("json: duplicate keys are listed in file order, each with the first copy") {
  const std::string text = R"({"a":1,"b":{"x":1,"x":2},"\u0061":3,"a":4})";
  const auto d = good(text);
  REQUIRE(d->duplicates().size() == 3);
  CHECK(d->duplicates()[0].key == "x");
  CHECK(d->duplicates()[1].key == "a");
  CHECK(d->duplicates()[1].offset == text.find(R"("\u0061")"));
  CHECK(d->duplicates()[1].first_offset == 1);
  CHECK(d->duplicates()[2].offset == text.rfind(R"("a")"));
  CHECK(d->duplicates()[2].first_offset == 1);
  CHECK(d->root().find("a").integer() == 4);  // the last, as loaders read it
}

TEST_CASE("json: duplicates of large objects are found like those of small ones") {
  std::string text = R"({"k0":0)";
  for (int i = 1; i < 1000; ++i) text += fmt::format(R"(,"k{}":{})", i, i);
  text += R"(,"k500":1,"\u006b500":2,"K500":3})";
  const auto d = good(text);
  REQUIRE(d->duplicates().size() == 2);
  CHECK(d->duplicates()[0].first_offset == text.find(R"("k500":500)"));
  CHECK(d->duplicates()[1].first_offset == d->duplicates()[0].first_offset);
  CHECK(d->duplicates()[1].offset == text.find(R"("\u006b500")"));
}

TEST_CASE("json: a hundred thousand copies of one key do not take quadratic time") {
  std::string text = "{";
  for (int i = 0; i < 100000; ++i) text += i == 0 ? R"("a":0)" : R"(,"a":0)";
  const auto d = good(text + "}");
  CHECK(d->duplicates().size() == 99999);
}

TEST_CASE("json: keys that differ only in normalization are different keys") {
  const auto d = good("{\"\xC3\xA9\":1,\"e\xCC\x81\":2,\"a\\u0000\":3,\"a\":4}");
  CHECK(d->duplicates().empty());
  CHECK(d->root().find("a").integer() == 4);
  CHECK(d->root().find(std::string_view("a\0", 2)).integer() == 3);
}

TEST_CASE("json: pointer tokens are escaped") {
  CHECK(json::pointer_append("", "a") == "/a");
  CHECK(json::pointer_append("/a", "b/c~d") == "/a/b~1c~0d");
  CHECK(json::pointer_append("/a", "") == "/a/");
}

TEST_CASE("json: kinds have names") {
  CHECK(json::kind_name(Kind::null) == "null");
  CHECK(json::kind_name(Kind::boolean) == "boolean");
  CHECK(json::kind_name(Kind::number) == "number");
  CHECK(json::kind_name(Kind::string) == "string");
  CHECK(json::kind_name(Kind::array) == "array");
  CHECK(json::kind_name(Kind::object) == "object");
}
