#include "validator/tokenizer/builtin_text.h"

#include <doctest/doctest.h>

#include <string>
#include <string_view>
#include <unordered_set>

#include "validator/base/file.h"
#include "validator/tokenizer/tokenizer.h"
#include "validator/tokenizer/unicode.h"

using namespace ckpt;
using tokenizer::builtin_text;

namespace {

std::string fixture(const char* name) {
  const auto file = open_file(std::string(CKPT_FIXTURES "/") + name);
  REQUIRE(file);
  auto text = read_text(*file, 1U << 24);
  REQUIRE(text);
  return *std::move(text);
}

/// FNV-1a of 64 bits.
std::uint64_t fingerprint(std::string_view text) {
  std::uint64_t hash = 0xCBF29CE484222325U;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001B3U;
  return hash;
}

}  // namespace

TEST_CASE("builtin text: every name gives a text, others give none") {
  REQUIRE(tokenizer::builtin_text_names().size() == 1);
  for (const std::string& name : tokenizer::builtin_text_names()) {
    CHECK_FALSE(builtin_text(name).empty());
  }
  CHECK(builtin_text("").empty());
  CHECK(builtin_text("mixed-v2").empty());
  CHECK(builtin_text("builtin:mixed-v1").empty());
}

TEST_CASE("builtin text: mixed-v1 is the file, at least 64 KiB, and never changes") {
  const std::string_view text = builtin_text("mixed-v1");
  CHECK(text == fixture("text/mixed-v1.txt"));
  CHECK(text.size() >= 65536);
  // A changed text needs a new name, or results under the old one stop being comparable.
  CHECK(fingerprint(text) == 0xBB063C2F025D4CF2U);
}

TEST_CASE("builtin text: mixed-v1 is UTF-8 in normal form C, without controls") {
  const std::string_view text = builtin_text("mixed-v1");
  CHECK_FALSE(tokenizer::invalid_utf8_at(text).has_value());
  CHECK(tokenizer::nfc(text) == text);
  for (const char c : text) {
    const bool control = static_cast<unsigned char>(c) < 0x20 && c != '\n' && c != '\t';
    REQUIRE_FALSE(control);
  }
}

TEST_CASE("builtin text: mixed-v1 holds every kind of section") {
  const std::string_view text = builtin_text("mixed-v1");
  for (const char* part : {"## Prose: English\n",
                           "## Prose: Deutsch\n",
                           "## Prose: Espa\u00f1ol\n",
                           "## Prose: Fran\u00e7ais\n",
                           "## Prose: Italiano\n",
                           "## Prose: Portugu\u00eas\n",
                           "## Prose: Polski\n",
                           "## Prose: \u0420\u0443\u0441\u0441\u043a\u0438\u0439\n",
                           "## Prose: \u4e2d\u6587\n",
                           "## Prose: \u65e5\u672c\u8a9e\n",
                           "## Prose: \u0627\u0644\u0639\u0631\u0628\u064a\u0629\n",
                           "## Prose: \u0939\u093f\u0928\u094d\u0926\u0940\n",
                           "## Prose: \ud55c\uad6d\uc5b4\n",
                           "```python\n",
                           "```cpp\n",
                           "```rust\n",
                           "```javascript\n",
                           "```sql\n",
                           "```bash\n",
                           "```json\n",
                           "\"tool_calls\"",
                           "<tool_call>",
                           "## Mathematics: ",
                           "\\begin{align*}",
                           "## Table: ",
                           "## Log: ",
                           "## Dialogue: "}) {
    CAPTURE(part);
    CHECK(text.find(part) != std::string_view::npos);
  }
}

TEST_CASE("builtin text: mixed-v1 hardly repeats itself") {
  const std::string_view text = builtin_text("mixed-v1");
  constexpr std::size_t kWindow = 32;
  std::unordered_set<std::string_view> windows;
  const std::size_t n = text.size() - kWindow + 1;
  for (std::size_t i = 0; i < n; ++i) windows.insert(text.substr(i, kWindow));
  CHECK(static_cast<double>(windows.size()) > 0.95 * static_cast<double>(n));
}

TEST_CASE("builtin text: mixed-v1 survives a tokenizer") {
  const auto t = tokenizer::Tokenizer::parse(fixture("tokenizer/qwen35_regex/tokenizer.json"));
  REQUIRE(t);
  const std::string_view text = builtin_text("mixed-v1");
  const auto ids = t->encode(text);
  REQUIRE(ids);
  CHECK(ids->size() > 16384);
  CHECK(t->decode(*ids) == text);
}
