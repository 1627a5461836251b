// Tokenizer: any tokenizer.json and any text, one after the other with byte 0xFF between them.

#include "tests/fuzz/input.h"
#include "validator/tokenizer/tokenizer.h"

using namespace ckpt;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto [spec, text] = fuzz::two_texts(data, size);
  const auto t = tokenizer::Tokenizer::parse(spec);
  if (!t) return 0;
  const auto ids = t->encode(text);
  if (ids) {
    for (const std::uint32_t id : *ids)
      fuzz::must(!t->token_text(id).empty() && id < t->id_limit());
    (void)t->decode(*ids);
  }
  (void)t->pieces(text);
  return 0;
}
