// Files and texts made to break the tokenizer.

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "tests/tokenizer/small.h"
#include "validator/tokenizer/unicode.h"

using namespace ckpt;
using small::Spec;
using tokenizer::Tokenizer;

namespace {

std::string repeat(std::string_view text, std::size_t n) {
  std::string out;
  out.reserve(text.size() * n);
  for (std::size_t i = 0; i < n; ++i) out += text;
  return out;
}

struct Broken {
  const char* what;
  Spec spec;
  ErrorKind kind;
  const char* part_of_message;
};

void check_broken(const std::vector<Broken>& table) {
  for (const Broken& b : table) {
    CAPTURE(b.what);
    const auto t = small::parse(b.spec);
    REQUIRE_FALSE(t);
    CHECK(t.error().kind == b.kind);
    CAPTURE(t.error().message);
    CHECK(t.error().message.find(b.part_of_message) != std::string::npos);
  }
}

}  // namespace

TEST_CASE("tokenizer: ids that cannot be right are refused, with the place") {
  const auto format = ErrorKind::format;
  check_broken({
      {"negative", {.extra_vocab = R"(,"ab":-1)"}, format, "`ab` has the id -1"},
      {"fraction", {.extra_vocab = R"(,"ab":1.0)"}, format, "/model/vocab"},
      {"text", {.extra_vocab = R"(,"ab":"7")"}, format, "/model/vocab"},
      {"2^32", {.extra_vocab = R"(,"ab":4294967296)"}, format, "4294967296"},
      {"2^64 + 1", {.extra_vocab = R"(,"ab":18446744073709551617)"}, format, "/model/vocab"},
      {"one id twice", {.extra_vocab = R"(,"ab":65)"}, format, "id 65 is both `A` and `ab`"},
      {"one token twice",
       {.extra_vocab = R"(,"ab":256,"ab":257)"},
       format,
       "`ab` has the ids 256 and 257"},
      {"added against vocabulary", {.added = R"({"id":300,"content":"A"})"}, format, "65 and 300"},
      {"added on a taken id",
       {.added = R"({"id":65,"content":"<s>"})"},
       format,
       "/added_tokens/0: id 65 is both"},
      {"added without id", {.added = R"({"content":"<s>"})"}, format, "/added_tokens/0"},
      {"added without content", {.added = R"({"id":300})"}, format, "/added_tokens/0"},
      {"added empty", {.added = R"({"id":300,"content":""})"}, format, "/added_tokens/0"},
      {"added not an object", {.added = "7"}, format, "/added_tokens/0"},
      {"added too long",
       {.added = std::string(R"({"id":300,"content":")") + repeat("x", 1025) + "\"}"},
       ErrorKind::limit,
       "1025 bytes, limit 1024"},
  });
}

TEST_CASE("tokenizer: malformed merges are refused, with their index") {
  const auto format = ErrorKind::format;
  check_broken({
      {"one word", {.merges = R"("ab")"}, format, "/model/merges/0: `ab` is not two tokens"},
      {"three words", {.merges = R"("a b c")"}, format, "not two tokens"},
      {"empty side", {.merges = R"(" b")"}, format, "not two tokens"},
      {"list of one", {.merges = R"(["a"])"}, format, "not two tokens"},
      {"list of three", {.merges = R"(["a","b","c"])"}, format, "not two tokens"},
      {"list of numbers", {.merges = "[1,2]"}, format, "not two tokens"},
      {"number", {.merges = "7"}, format, "not two tokens"},
      {"null", {.merges = "null"}, format, "not two tokens"},
      {"unknown result", {.merges = R"("a b")"}, format, "`ab` is not in the vocabulary"},
      {"unknown left", {.merges = R"(["zz","b"])"}, format, "`zz` is not in the vocabulary"},
      {"second",
       {.extra_vocab = R"(,"ab":256)", .merges = R"("a b",["a"])"},
       format,
       "/model/merges/1"},
  });
}

TEST_CASE("tokenizer: what it does not implement is unsupported, never guessed") {
  const auto unsupported = ErrorKind::unsupported;
  check_broken({
      {"normalizer", {.normalizer = R"({"type":"NFKC"})"}, unsupported, "NFKC"},
      {"model", {.model_extra = R"(,"type":"Unigram")"}, unsupported, "Unigram"},
      {"dropout", {.model_extra = R"(,"dropout":0.1)"}, unsupported, "dropout"},
      {"prefix", {.model_extra = R"(,"continuing_subword_prefix":"##")"}, unsupported, "prefix"},
      {"nested set", {.pattern = "[a[bc]]"}, unsupported, "cannot be evaluated"},
      {"intersection", {.pattern = "[a-z&&b]"}, unsupported, "cannot be evaluated"},
      {"word boundary", {.pattern = R"(\\b)"}, unsupported, "cannot be evaluated"},
      {"hexadecimal digit", {.pattern = R"(\\h+)"}, unsupported, "cannot be evaluated"},
      {"dot matches newline", {.pattern = "(?m:.+)"}, unsupported, "cannot be evaluated"},
      {"verb", {.pattern = "(*ACCEPT)"}, unsupported, "cannot be evaluated"},
      {"recursion", {.pattern = "a(?R)?"}, unsupported, "cannot be evaluated"},
      {"counted plus", {.pattern = "a{2}+"}, unsupported, "cannot be evaluated"},
      {"no lower bound", {.pattern = "a{,2}"}, unsupported, "cannot be evaluated"},
      {"not closed", {.pattern = "(a"}, unsupported, "cannot be evaluated"},
      {"set not closed", {.pattern = "[a"}, unsupported, "cannot be evaluated"},
      {"lone backslash", {.pattern = R"(\\)"}, unsupported, "cannot be evaluated"},
      {"unknown property", {.pattern = R"(\\p{Nothing})"}, unsupported, "cannot be evaluated"},
      {"huge counts", {.pattern = "((a{1000}){1000}){1000}"}, unsupported, "cannot be evaluated"},
      {"many groups", {.pattern = repeat("(", 2000) + repeat(")", 2000)}, unsupported, "cannot"},
      {"long", {.pattern = repeat("a", 16385)}, ErrorKind::limit, "limit 16384"},
  });
}

TEST_CASE("tokenizer: documents of another form are refused") {
  for (const char* text :
       {"", "[]", "null", "7", "{}", R"({"model":[]})", R"({"model":{"type":"BPE"}})",
        R"({"model":{"type":"BPE","vocab":{},"merges":[]}})",
        R"({"model":{"type":"BPE","vocab":[],"merges":[]}})",
        R"({"model":{"type":"BPE","vocab":{"a":0},"merges":{}}})",
        R"({"model":{"type":"BPE","vocab":{"a":0},"merges":[]}})",
        R"({"pre_tokenizer":{"type":"Sequence"},"model":{"vocab":{"a":0},"merges":[]}})",
        R"({"pre_tokenizer":{"type":"Whitespace"},"model":{"vocab":{"a":0},"merges":[]}})"}) {
    CAPTURE(text);
    CHECK_FALSE(Tokenizer::parse(std::string(text)));
  }
}

TEST_CASE("tokenizer: id 2^32 - 1 is an id like any other and sizes nothing") {
  const auto t = small::parse({.extra_vocab = R"(,"ab":4294967295)", .merges = R"("a b")"});
  REQUIRE_MESSAGE(t, t.error().message);
  CHECK(t->encode("ab").value() == std::vector<std::uint32_t>{4294967295U});
  CHECK(t->vocab_size() == 257);
  CHECK(t->id_limit() == 4294967296ULL);
  CHECK(t->token_text(4294967295U) == "ab");
  CHECK(t->token_text(4294967294U).empty());
  CHECK(t->decode(std::vector<std::uint32_t>{97, 1000, 4294967295U}) == "aab");
}

TEST_CASE("tokenizer: a pattern that backtracks without end is an error, not a hang") {
  const std::string text = repeat("a", 60) + "!" + repeat("a", 60);
  for (const char* pattern : {"(a+)+$", "(a|a)*b", "(a*)*b|(a|aa)+$", "(.*)*x"}) {
    CAPTURE(pattern);
    const auto t = small::parse({.pattern = pattern});
    REQUIRE(t);
    const auto ids = t->encode(text);
    REQUIRE_FALSE(ids);
    CHECK(ids.error().kind == ErrorKind::limit);
    CHECK(ids.error().message.find("cannot be evaluated") != std::string::npos);
  }
}

TEST_CASE("tokenizer: a pattern that costs a lot at every byte is stopped by the total") {
  const auto t = small::parse({.pattern = "a.*b.*c.*d"});
  REQUIRE(t);
  const auto ids = t->encode(repeat("abc", 20000));
  REQUIRE_FALSE(ids);
  CHECK(ids.error().message.find("cannot be evaluated") != std::string::npos);
}

TEST_CASE("tokenizer: patterns that match nothing or the empty text still lose no byte") {
  for (const char* pattern : {"x*", "(?=b)", "q", "$", "(?<=a)"}) {
    CAPTURE(pattern);
    const auto t = small::parse({.pattern = pattern});
    REQUIRE(t);
    const std::string text = "ab\n\xC3\xA4 xx b";
    CHECK(t->decode(t->encode(text).value()) == text);
  }
}

TEST_CASE("tokenizer: a word of one mebibyte is merged in linearithmic time") {
  const auto t = small::parse({.extra_vocab = R"(,"aa":256,"aaaa":257,"ab":258,"aab":259)",
                               .merges = R"("a a","aa aa","a b",["a","ab"])"});
  REQUIRE(t);
  const std::size_t n = 1U << 20;
  const auto same = t->encode(repeat("a", n));
  REQUIRE(same);
  CHECK(same->size() == n / 4);
  const auto mixed = t->encode(repeat("ab", n / 2));
  REQUIRE(mixed);
  CHECK(mixed->size() == n / 2);
  const auto space = t->encode(repeat(" ", n));
  REQUIRE(space);
  CHECK(space->size() == n);
}

TEST_CASE("tokenizer: a long run of unordered marks is put in order without quadratic work") {
  const std::size_t n = 1U << 17;
  const std::string marks = repeat("\xCC\x81", n) + repeat("\xCC\x96", n);  // U+0301, U+0316
  const std::string ordered = std::string("q") + repeat("\xCC\x96", n) + repeat("\xCC\x81", n);
  CHECK(tokenizer::nfc(std::string("q") + marks) == ordered);
}

TEST_CASE("tokenizer: text that is not UTF-8 is refused with the byte") {
  const auto t = small::parse({});
  REQUIRE(t);
  for (const std::string bad : {"ab\xFF", "ab\xC3", "ab\xC0\x80", "ab\xED\xA0\x80",
                                "ab\xF4\x90\x80\x80", "ab\x80", "ab\xE2\x82"}) {
    const auto ids = t->encode(bad);
    REQUIRE_FALSE(ids);
    CHECK(ids.error().kind == ErrorKind::format);
    CHECK(ids.error().message == "encode: text is not valid UTF-8 at byte 2");
    CHECK_FALSE(t->pieces(bad));
    CHECK(tokenizer::nfc("ab") == "ab");
  }
}

TEST_CASE("tokenizer: a byte that the vocabulary lacks is named") {
  const auto t = Tokenizer::parse(
      std::string(R"({"pre_tokenizer":{"type":"ByteLevel","add_prefix_space":false},)"
                  R"("model":{"vocab":{"a":0},"merges":[]}})"));
  REQUIRE_MESSAGE(t, t.error().message);
  CHECK(t->encode("aa").value() == std::vector<std::uint32_t>{0, 0});
  const auto ids = t->encode("ab");
  REQUIRE_FALSE(ids);
  CHECK(ids.error().message.find("0x62") != std::string::npos);
}

TEST_CASE("tokenizer: names from the file are escaped in messages") {
  const auto t = small::parse({.merges = R"(["\u001b[31m","b"])"});
  REQUIRE_FALSE(t);
  CHECK(t.error().message.find('\x1b') == std::string::npos);
  CHECK(t.error().message.find("\\x1b") != std::string::npos);
}

TEST_CASE("tokenizer: every prefix of a valid file is refused") {
  const std::string whole = small::text({.extra_vocab = R"(,"ab":256)", .merges = R"("a b")"});
  REQUIRE(Tokenizer::parse(whole));
  for (std::size_t n = 0; n < whole.size(); ++n) {
    CAPTURE(n);
    REQUIRE_FALSE(Tokenizer::parse(whole.substr(0, n)));
  }
}
