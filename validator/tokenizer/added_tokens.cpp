#include "validator/tokenizer/added_tokens.h"

#include <algorithm>

#include "validator/tokenizer/unicode.h"

namespace ckpt::tokenizer {
namespace {

std::uint64_t edge(std::uint32_t node, char byte) {
  return (static_cast<std::uint64_t>(node) << 8) | static_cast<unsigned char>(byte);
}

bool ends_with_word(std::string_view text) {
  const auto c = last_code_point(text);
  return c && is_word(c->code);
}

bool starts_with_word(std::string_view text) {
  const auto c = first_code_point(text);
  return c && is_word(c->code);
}

std::size_t space_before(std::string_view text) {
  std::size_t begin = text.size();
  for (auto c = last_code_point(text); c && is_white_space(c->code);
       c = last_code_point(text.substr(0, begin))) {
    begin -= c->length;
  }
  return begin;
}

std::size_t space_after(std::string_view text) {
  std::size_t end = 0;
  for (auto c = first_code_point(text); c && is_white_space(c->code);
       c = first_code_point(text.substr(end))) {
    end += c->length;
  }
  return end;
}

}  // namespace

void AddedTokenFinder::add(AddedToken token, std::string_view spelling) {
  if (spelling.empty()) return;
  std::uint32_t node = 0;
  for (const char byte : spelling) {
    const auto [at, fresh] =
        edges_.emplace(edge(node, byte), static_cast<std::uint32_t>(ends_.size()));
    if (fresh) ends_.push_back(0);
    node = at->second;
  }
  tokens_.push_back(std::move(token));
  if (ends_[node] == 0) ends_[node] = static_cast<std::uint32_t>(tokens_.size());
}

AddedTokenFinder::Match AddedTokenFinder::longest_at(std::string_view text) const {
  Match best;
  std::uint32_t node = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto at = edges_.find(edge(node, text[i]));
    if (at == edges_.end()) break;
    node = at->second;
    if (ends_[node] != 0) best = {i + 1, &tokens_[ends_[node] - 1]};
  }
  return best;
}

// The order of the steps, and that a search goes on after the match and not after the stripped
// space, follow tokenizers 0.23 (tokenizer/added_vocabulary.rs, find_matches).
std::vector<Segment> AddedTokenFinder::cut(std::string_view text) const {
  std::vector<Segment> segments;
  std::size_t done = 0;
  const auto cut_text = [&](std::size_t end) {
    if (done < end) segments.push_back({text.substr(done, end - done), std::nullopt});
  };
  for (std::size_t at = 0; !tokens_.empty() && at < text.size();) {
    const Match match = longest_at(text.substr(at));
    if (match.token == nullptr) {
      ++at;
      continue;
    }
    std::size_t begin = at;
    std::size_t end = at + match.length;
    at = end;
    if (match.token->single_word &&
        (ends_with_word(text.substr(0, begin)) || starts_with_word(text.substr(end)))) {
      continue;
    }
    if (match.token->lstrip) begin = std::max(space_before(text.substr(0, begin)), done);
    if (match.token->rstrip) end += space_after(text.substr(end));
    if (begin >= end) continue;  // an earlier token took all of it as white space
    cut_text(begin);
    segments.push_back({text.substr(begin, end - begin), match.token->id});
    done = end;
  }
  cut_text(text.size());
  return segments;
}

}  // namespace ckpt::tokenizer
