// Split patterns: any pattern and any text, byte 0xFF between them. No byte may be lost or doubled.

#include "tests/fuzz/input.h"
#include "validator/tokenizer/pattern.h"
#include "validator/tokenizer/splitter.h"
#include "validator/tokenizer/unicode.h"

using namespace ckpt;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto [pattern, text] = fuzz::two_texts(data, size);
  if (tokenizer::invalid_utf8_at(text)) return 0;
  const auto translated = tokenizer::to_pcre2(pattern);
  if (!translated) return 0;
  const auto splitter = tokenizer::Splitter::compile(*translated);
  if (!splitter) return 0;
  std::vector<std::string_view> pieces;
  if (!splitter->split(text, pieces)) return 0;
  std::string joined;
  for (const std::string_view piece : pieces) {
    fuzz::must(!piece.empty() && !tokenizer::invalid_utf8_at(piece));
    joined += piece;
  }
  fuzz::must(joined == text);
  return 0;
}
