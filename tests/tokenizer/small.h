#pragma once
// A small byte-level tokenizer.json, to be broken in one place at a time.

#include <fmt/format.h>

#include <string>

#include "validator/base/json.h"
#include "validator/base/result.h"
#include "validator/tokenizer/byte_level.h"
#include "validator/tokenizer/tokenizer.h"

namespace small {

struct Spec {
  std::string extra_vocab;  ///< after the 256 bytes, such as `,"ab":256`
  std::string merges;       ///< elements of the array
  std::string added;        ///< elements of the array
  std::string normalizer = R"({"type":"NFC"})";
  std::string pattern = R"(\\s+|\\S+)";  ///< as written in JSON
  std::string model_extra;               ///< more members of the model
};

/// `"!":33, ...`: all 256 bytes, each with its own value as id.
inline std::string all_bytes() {
  std::string out;
  for (int byte = 0; byte < 256; ++byte) {
    std::string c;
    ckpt::tokenizer::append_byte_char(c, static_cast<unsigned char>(byte));
    const bool escape = c == "\"" || c == "\\";
    out += fmt::format("{}\"{}{}\":{}", byte == 0 ? "" : ",", escape ? "\\" : "", c, byte);
  }
  return out;
}

inline std::string text(const Spec& s) {
  return fmt::format(
      R"({{"normalizer":{},"pre_tokenizer":{{"type":"Sequence","pretokenizers":[)"
      R"({{"type":"Split","pattern":{{"Regex":"{}"}},"behavior":"Isolated","invert":false}},)"
      R"({{"type":"ByteLevel","add_prefix_space":false,"use_regex":false}}]}},)"
      R"("added_tokens":[{}],"model":{{"type":"BPE","vocab":{{{}{}}},"merges":[{}]{}}}}})",
      s.normalizer, s.pattern, s.added, all_bytes(), s.extra_vocab, s.merges, s.model_extra);
}

inline ckpt::Result<ckpt::tokenizer::Tokenizer> parse(const Spec& s) {
  return ckpt::tokenizer::Tokenizer::parse(text(s));
}

}  // namespace small
