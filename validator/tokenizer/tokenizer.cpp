#include "validator/tokenizer/tokenizer.h"

#include <fmt/format.h>

#include <deque>
#include <utility>

#include "validator/tokenizer/byte_level.h"
#include "validator/tokenizer/tables.h"
#include "validator/tokenizer/unicode.h"

namespace ckpt::tokenizer {
namespace {

Result<void> check_text(std::string_view text) {
  if (text.size() > kTextBytes) {
    return fail(ErrorKind::limit,
                fmt::format("text of {} bytes, limit {}", text.size(), kTextBytes));
  }
  if (const auto at = invalid_utf8_at(text)) {
    return fail(ErrorKind::format, fmt::format("text is not valid UTF-8 at byte {}", *at));
  }
  return {};
}

/// Runs the pre-tokenizers over `text` and calls `use` with each piece.
template <class Use>
Result<void> for_each_piece(const Tables& tables, std::string_view text, Use&& use) {
  std::vector<std::string_view> pieces;
  if (!text.empty()) pieces.push_back(text);
  std::deque<std::string> prefixed;  // owns what no longer is a part of `text`
  for (const PreTokenizer& stage : tables.pre_tokenizers) {
    std::vector<std::string_view> next;
    for (std::string_view piece : pieces) {
      if (stage.prefix_space && !piece.starts_with(' ')) {
        piece = prefixed.emplace_back(fmt::format(" {}", piece));
      }
      if (!stage.splitter) {
        next.push_back(piece);
        continue;
      }
      CKPT_TRY_VOID(stage.splitter->split(piece, next), "pre_tokenizer");
    }
    pieces = std::move(next);
  }
  for (const std::string_view piece : pieces) {
    if (auto r = use(piece); !r) return r;
  }
  return {};
}

/// One encode() call: the ids so far and the buffer that each piece uses.
class Encoder {
 public:
  explicit Encoder(const Tables& tables) : tables_(tables) {}

  Result<std::vector<std::uint32_t>> run(std::string_view text) {
    for (const Segment& segment : tables_.raw_finder.cut(text)) {
      if (segment.id) {
        ids_.push_back(*segment.id);
        continue;
      }
      const std::string normal =
          tables_.normalize_nfc ? nfc(segment.text) : std::string(segment.text);
      if (auto r = add_normalized(normal); !r) return tl::make_unexpected(std::move(r).error());
    }
    return std::move(ids_);
  }

 private:
  const Tables& tables_;
  std::vector<std::uint32_t> ids_;
  std::vector<std::uint32_t> symbols_;

  Result<void> add_normalized(std::string_view text) {
    for (const Segment& segment : tables_.normalized_finder.cut(text)) {
      if (segment.id) {
        ids_.push_back(*segment.id);
        continue;
      }
      auto r = for_each_piece(tables_, segment.text,
                              [this](std::string_view piece) { return add_piece(piece); });
      if (!r) return r;
    }
    return {};
  }

  Result<void> add_piece(std::string_view piece) {
    if (tables_.ignore_merges) {
      const auto whole = tables_.ids.find(to_byte_alphabet(piece));
      if (whole != tables_.ids.end()) {
        ids_.push_back(whole->second);
        return {};
      }
    }
    symbols_.clear();
    for (const char c : piece) {
      const auto byte = static_cast<unsigned char>(c);
      const auto id = tables_.byte_ids[byte];
      if (!id) {
        return fail(ErrorKind::format, fmt::format("the vocabulary has no token for byte 0x{:02x}, "
                                                   "which the text contains; --token-ids takes "
                                                   "ids made otherwise",
                                                   byte));
      }
      symbols_.push_back(*id);
    }
    tables_.merges.apply(symbols_, ids_);
    return {};
  }
};

}  // namespace

Tokenizer::Tokenizer(std::unique_ptr<const Tables> tables) : tables_(std::move(tables)) {}

Tokenizer::Tokenizer(Tokenizer&&) noexcept = default;
Tokenizer& Tokenizer::operator=(Tokenizer&&) noexcept = default;
Tokenizer::~Tokenizer() = default;

Result<Tokenizer> Tokenizer::parse(std::shared_ptr<const json::Document> document) {
  CKPT_TRY(auto tables, read_tables(std::move(document)), "tokenizer");
  return Tokenizer(std::move(tables));
}

Result<Tokenizer> Tokenizer::parse(std::string text) {
  CKPT_TRY(auto document, json::parse(std::move(text)), "tokenizer");
  return parse(std::move(document));
}

Result<std::vector<std::uint32_t>> Tokenizer::encode(std::string_view text) const {
  CKPT_TRY_VOID(check_text(text), "encode");
  return Encoder(*tables_).run(text);
}

std::string Tokenizer::decode(std::span<const std::uint32_t> ids) const {
  std::string bytes;
  for (const std::uint32_t id : ids) bytes += token_bytes(id);
  return utf8_lossy(bytes);
}

Result<std::vector<std::string>> Tokenizer::pieces(std::string_view text) const {
  CKPT_TRY_VOID(check_text(text), "pieces");
  const std::string normal = normalize(text);
  std::vector<std::string> out;
  CKPT_TRY_VOID(for_each_piece(*tables_, normal,
                               [&out](std::string_view piece) {
                                 out.emplace_back(piece);
                                 return Result<void>{};
                               }),
                "pieces");
  return out;
}

std::string Tokenizer::normalize(std::string_view text) const {
  return tables_->normalize_nfc ? nfc(text) : std::string(text);
}

std::size_t Tokenizer::vocab_size() const {
  return tables_->tokens.size();
}

std::uint64_t Tokenizer::id_limit() const {
  return tables_->id_limit;
}

std::optional<std::uint32_t> Tokenizer::token_id(std::string_view token) const {
  const auto found = tables_->ids.find(token);
  if (found == tables_->ids.end()) return std::nullopt;
  return found->second;
}

std::string Tokenizer::token_text(std::uint32_t id) const {
  const auto found = tables_->tokens.find(id);
  return found == tables_->tokens.end() ? std::string() : std::string(found->second);
}

std::string Tokenizer::token_bytes(std::uint32_t id) const {
  return from_byte_alphabet(token_text(id));
}

}  // namespace ckpt::tokenizer
