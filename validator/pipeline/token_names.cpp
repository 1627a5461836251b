#include "validator/pipeline/token_names.h"

#include "validator/base/text.h"
#include "validator/tokenizer/tokenizer.h"

namespace ckpt::pipeline {
namespace {

constexpr std::size_t kTokenChars = 40;

class Names {
 public:
  Names(const tokenizer::Tokenizer& tokenizer, const TokenSet& tokens)
      : tokenizer_(tokenizer), tokens_(tokens) {}

  [[nodiscard]] std::string of(std::int64_t id) const {
    return id < 0 ? std::string{}
                  : shown(tokenizer_.token_bytes(static_cast<std::uint32_t>(id)), kTokenChars);
  }

  /// The token at a place of the text; empty beyond its end.
  [[nodiscard]] std::string at(std::uint64_t sequence, std::uint64_t position) const {
    if (sequence >= tokens_.sequences.size()) return {};
    const auto& s = tokens_.sequences[sequence];
    return position < s.size() ? of(s[position]) : std::string{};
  }

 private:
  const tokenizer::Tokenizer& tokenizer_;
  const TokenSet& tokens_;
};

void name_position(const Names& names, results::WorstPosition& w) {
  w.reference_token = names.of(w.reference_id);
  w.candidate_token = names.of(w.candidate_id);
  w.next_token = names.at(w.sequence, w.position + 1);
  const std::uint64_t first = w.position + 1 - w.context.size();
  for (std::size_t i = 0; i < w.context.size(); ++i) {
    w.context[i].text = names.at(w.sequence, first + i);
  }
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
