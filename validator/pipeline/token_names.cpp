#include "validator/pipeline/token_names.h"

#include <algorithm>

#include "validator/base/text.h"
#include "validator/tokenizer/tokenizer.h"

namespace ckpt::pipeline {
namespace {

constexpr std::size_t kTokenChars = 40;

class Names {
 public:
  Names(const tokenizer::Tokenizer& tokenizer, const TokenSet& tokens)
      : tokenizer_(tokenizer), tokens_(tokens) {}

  /// The bytes of the token at a place of the text; empty beyond its end.
  [[nodiscard]] std::string bytes_at(std::uint64_t sequence, std::uint64_t position) const {
    if (sequence >= tokens_.sequences.size()) return {};
    const auto& s = tokens_.sequences[sequence];
    if (position >= s.size() || s[position] < 0) return {};
    return tokenizer_.token_bytes(static_cast<std::uint32_t>(s[position]));
  }

  [[nodiscard]] std::string of(std::int64_t id) const {
    return id < 0 ? std::string{}
                  : shown(tokenizer_.token_bytes(static_cast<std::uint32_t>(id)), kTokenChars);
  }

  /// The token at a place of the text; empty beyond its end.
  [[nodiscard]] std::string at(std::uint64_t sequence, std::uint64_t position) const {
    return shown(bytes_at(sequence, position), kTokenChars);
  }

 private:
  const tokenizer::Tokenizer& tokenizer_;
  const TokenSet& tokens_;
};

/// Bytes at the end of `text` that begin a character and do not end it.
std::size_t unfinished(std::string_view text) {
  for (std::size_t n = 1; n <= std::min<std::size_t>(3, text.size()); ++n) {
    const auto c = static_cast<unsigned char>(text[text.size() - n]);
    if (c < 0x80) return 0;
    if (c < 0xC0) continue;
    const std::size_t length = c >= 0xF0 ? 4 : c >= 0xE0 ? 3 : 2;
    return length > n ? n : 0;
  }
  return 0;
}

/// Tokens may cut a character: its bytes move to the token that ends it, where they can be read.
void name_context(const Names& names, results::WorstPosition& w) {
  const std::uint64_t first = w.position + 1 - w.context.size();
  std::string bytes;
  for (std::size_t i = 0; i < w.context.size(); ++i) {
    bytes += names.bytes_at(w.sequence, first + i);
    const std::size_t kept = i + 1 < w.context.size() ? unfinished(bytes) : 0;
    w.context[i].text = shown(std::string_view(bytes).substr(0, bytes.size() - kept), kTokenChars);
    bytes.erase(0, bytes.size() - kept);
  }
}

void name_position(const Names& names, results::WorstPosition& w) {
  w.reference_token = names.of(w.reference_id);
  w.candidate_token = names.of(w.candidate_id);
  for (auto* top : {&w.reference_top, &w.candidate_top}) {
    for (results::TokenChance& t : *top) t.token = names.of(t.id);
  }
  w.next_token = names.at(w.sequence, w.position + 1);
  name_context(names, w);
}

}  // namespace

void name_tokens(const OpenedRepo& reference, const TokenSet& tokens, results::Metrics& metrics) {
  const auto tokenizer = read_tokenizer(reference);
  if (!tokenizer) return;
  const Names names(*tokenizer, tokens);
  for (results::Distribution* d : {&metrics.kl, &metrics.kl_reverse, &metrics.js, &metrics.tv}) {
    d->max_token = names.at(d->max_sequence, d->max_position);
  }
  if (!metrics.over_text) return;
  for (results::WorstPosition& w : metrics.over_text->positions) name_position(names, w);
}

}  // namespace ckpt::pipeline
