#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "validator/base/text.h"
#include "validator/tokenizer/byte_level.h"
#include "validator/tokenizer/pattern.h"
#include "validator/tokenizer/tables.h"
#include "validator/tokenizer/unicode.h"

namespace ckpt::tokenizer {
namespace {

using json::Kind;
using json::Value;

// What ByteLevel splits by when its `use_regex` is set (GPT-2's pattern).
constexpr std::string_view kByteLevelPattern =
    R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";

constexpr std::size_t kAddedTokenBytes = 1024;

tl::unexpected<Error> malformed(std::string_view pointer, std::string_view what) {
  return fail(ErrorKind::format, fmt::format("{}: {}", pointer, what));
}

tl::unexpected<Error> unsupported(std::string_view pointer, std::string_view what) {
  return fail(ErrorKind::unsupported, fmt::format("{}: {} is not supported", pointer, what));
}

bool is_null(const Value& value) {
  return !value || value.is(Kind::null);
}

bool flag(const Value& object, std::string_view key, bool fallback) {
  return object.find(key).boolean().value_or(fallback);
}

std::string_view type_of(const Value& object) {
  return object.find("type").string().value_or("");
}

std::optional<std::uint32_t> read_id(const Value& value) {
  const auto id = value.unsigned_integer();
  if (!id || *id > 0xFFFFFFFFU) return std::nullopt;
  return static_cast<std::uint32_t>(*id);
}

/// Reads one document into one set of tables, section by section.
class Reader {
 public:
  explicit Reader(std::shared_ptr<const json::Document> document)
      : tables_(std::make_unique<Tables>()), root_(document->root()) {
    tables_->document = std::move(document);
  }

  Result<std::unique_ptr<const Tables>> run() {
    if (!root_.is(Kind::object)) return malformed("/", "not an object");
    for (const auto step : {&Reader::model, &Reader::vocabulary, &Reader::merges,
                            &Reader::normalizer, &Reader::pre_tokenizer, &Reader::added_tokens}) {
      if (auto r = (this->*step)(); !r) return tl::make_unexpected(std::move(r).error());
    }
    return std::unique_ptr<const Tables>(std::move(tables_));
  }

 private:
  std::unique_ptr<Tables> tables_;
  Value root_;
  Value model_;
  bool ends_with_bytes_ = false;

  Result<void> model() {
    model_ = root_.find("model");
    if (!model_.is(Kind::object)) return malformed("/model", "missing, or not an object");
    const std::string_view type = type_of(model_);
    if (!type.empty() && type != "BPE") return unsupported("/model/type", shown(type));
    for (const std::string_view key : {"continuing_subword_prefix", "end_of_word_suffix"}) {
      if (!model_.find(key).string().value_or("").empty()) {
        return unsupported(fmt::format("/model/{}", key), "a prefix or suffix");
      }
    }
    const Value dropout = model_.find("dropout");
    if (!is_null(dropout) && dropout.number() != 0.0) return unsupported("/model/dropout", "it");
    tables_->ignore_merges = flag(model_, "ignore_merges", false);
    return {};
  }

  /// Records that `token` has `id`. Errors: format when either is taken by another.
  Result<void> claim(std::string_view token, std::uint32_t id, std::string_view pointer) {
    const auto [by_token, new_token] = tables_->ids.emplace(token, id);
    if (by_token->second != id) {
      return malformed(
          pointer, fmt::format("`{}` has the ids {} and {}", shown(token), by_token->second, id));
    }
    const auto [by_id, new_id] = tables_->tokens.emplace(id, token);
    if (by_id->second != token) {
      return malformed(pointer, fmt::format("id {} is both `{}` and `{}`", id, shown(by_id->second),
                                            shown(token)));
    }
    tables_->id_limit = std::max(tables_->id_limit, std::uint64_t{id} + 1);
    return {};
  }

  Result<void> vocabulary() {
    const Value vocab = model_.find("vocab");
    if (!vocab.is(Kind::object)) return malformed("/model/vocab", "missing, or not an object");
    if (vocab.size() == 0) return malformed("/model/vocab", "empty");
    tables_->ids.reserve(vocab.size());
    tables_->tokens.reserve(vocab.size());
    Result<void> result;
    vocab.each_member([&](const json::Member& m) {
      if (!result) return;
      const auto id = read_id(m.value);
      if (!id) {
        result = malformed("/model/vocab", fmt::format("`{}` has the id {}, not an integer of 32 "
                                                       "bits",
                                                       shown(m.name), shown(m.value.raw())));
        return;
      }
      result = claim(m.name, *id, "/model/vocab");
    });
    for (std::size_t byte = 0; byte < tables_->byte_ids.size(); ++byte) {
      std::string spelling;
      append_byte_char(spelling, static_cast<unsigned char>(byte));
      const auto found = tables_->ids.find(spelling);
      if (found != tables_->ids.end()) tables_->byte_ids[byte] = found->second;
    }
    return result;
  }

  Result<void> merges() {
    const Value list = model_.find("merges");
    if (!list.is(Kind::array)) return malformed("/model/merges", "missing, or not an array");
    Result<void> result;
    std::size_t index = 0;
    std::uint32_t rank = 0;
    list.each([&](const Value& entry) {
      if (result) result = merge(entry, index, rank);
      ++index;
    });
    return result;
  }

  Result<void> merge(const Value& entry, std::size_t index, std::uint32_t& rank) {
    const std::string pointer = fmt::format("/model/merges/{}", index);
    std::vector<std::string_view> parts;
    if (const auto line = entry.string()) {
      if (line->starts_with("#version")) return {};
      const std::size_t space = line->find(' ');
      if (space == std::string_view::npos || line->find(' ', space + 1) != line->npos) {
        return malformed(pointer, fmt::format("`{}` is not two tokens", shown(*line)));
      }
      parts = {line->substr(0, space), line->substr(space + 1)};
    } else {
      entry.each([&](const Value& part) { parts.push_back(part.string().value_or("")); });
    }
    if (parts.size() != 2 || parts[0].empty() || parts[1].empty()) {
      return malformed(pointer, "not two tokens");
    }
    std::array<std::uint32_t, 3> ids{};
    const std::string merged = fmt::format("{}{}", parts[0], parts[1]);
    const std::array<std::string_view, 3> names{parts[0], parts[1], merged};
    for (std::size_t i = 0; i < names.size(); ++i) {
      const auto found = tables_->ids.find(names[i]);
      if (found == tables_->ids.end()) {
        return malformed(pointer, fmt::format("`{}` is not in the vocabulary", shown(names[i])));
      }
      ids[i] = found->second;
    }
    tables_->merges.add(ids[0], ids[1], rank++, ids[2]);
    return {};
  }

  Result<void> normalizer() { return one_normalizer(root_.find("normalizer"), "/normalizer"); }

  Result<void> one_normalizer(const Value& value, const std::string& pointer) {
    if (is_null(value)) return {};
    const std::string_view type = type_of(value);
    if (type == "NFC") {
      tables_->normalize_nfc = true;
      return {};
    }
    if (type != "Sequence") return unsupported(pointer, fmt::format("`{}`", shown(type)));
    Result<void> result;
    value.find("normalizers").each([&](const Value& part) {
      // Only one level: a Sequence in a Sequence is not something that a saved file has.
      if (result && type_of(part) != "NFC") {
        result = unsupported(pointer, fmt::format("`{}`", shown(type_of(part))));
      }
      tables_->normalize_nfc = true;
    });
    return result;
  }

  Result<void> pre_tokenizer() {
    const Value value = root_.find("pre_tokenizer");
    const std::string pointer = "/pre_tokenizer";
    Result<void> result;
    if (type_of(value) == "Sequence") {
      std::size_t index = 0;
      value.find("pretokenizers").each([&](const Value& part) {
        const std::string at = fmt::format("{}/pretokenizers/{}", pointer, index++);
        if (result) result = one_pre_tokenizer(part, at);
      });
    } else {
      result = one_pre_tokenizer(value, pointer);
    }
    if (result && !ends_with_bytes_) return unsupported(pointer, "anything but byte level");
    return result;
  }

  Result<void> one_pre_tokenizer(const Value& value, const std::string& pointer) {
    if (ends_with_bytes_) return unsupported(pointer, "a step after ByteLevel");
    const std::string_view type = type_of(value);
    if (type == "ByteLevel") {
      ends_with_bytes_ = true;
      const bool use_regex = flag(value, "use_regex", true);
      return add_stage(use_regex ? kByteLevelPattern : "", flag(value, "add_prefix_space", true),
                       pointer);
    }
    if (type != "Split") return unsupported(pointer, fmt::format("`{}`", shown(type)));
    if (value.find("behavior").string() != "Isolated" || flag(value, "invert", false)) {
      return unsupported(pointer, "a Split that is not Isolated");
    }
    const Value pattern = value.find("pattern");
    if (const auto text = pattern.find("Regex").string()) {
      return text->empty() ? Result<void>{} : add_stage(*text, false, pointer);
    }
    if (const auto text = pattern.find("String").string()) {
      return add_stage(literal_pattern(*text), false, pointer);
    }
    return malformed(pointer, "a Split without a pattern");
  }

  /// Adds a step; an empty `pattern` does not split.
  Result<void> add_stage(std::string_view pattern, bool prefix_space, const std::string& pointer) {
    PreTokenizer stage;
    stage.prefix_space = prefix_space;
    if (!pattern.empty()) {
      CKPT_TRY(const std::string translated, to_pcre2(pattern), pointer);
      CKPT_TRY(stage.splitter, Splitter::compile(translated), pointer);
    }
    tables_->pre_tokenizers.push_back(std::move(stage));
    return {};
  }

  Result<void> added_tokens() {
    const Value list = root_.find("added_tokens");
    if (!is_null(list) && !list.is(Kind::array)) return malformed("/added_tokens", "not an array");
    // Of tokens with one spelling the first is found; the library lists special ones first.
    for (const bool special : {true, false}) {
      Result<void> result;
      std::size_t index = 0;
      list.each([&](const Value& entry) {
        const std::string pointer = fmt::format("/added_tokens/{}", index++);
        if (result && flag(entry, "special", false) == special) {
          result = added_token(entry, pointer);
        }
      });
      if (!result) return result;
    }
    return {};
  }

  Result<void> added_token(const Value& entry, const std::string& pointer) {
    const auto content = entry.find("content").string();
    const auto id = read_id(entry.find("id"));
    if (!content || content->empty()) return malformed(pointer, "no content");
    if (!id) return malformed(pointer, "no id that is an integer of 32 bits");
    if (content->size() > kAddedTokenBytes) {
      return fail(ErrorKind::limit, fmt::format("{}: content of {} bytes, limit {}", pointer,
                                                content->size(), kAddedTokenBytes));
    }
    CKPT_TRY_VOID(claim(*content, *id, pointer), "added token");
    AddedToken token;
    token.content = *content;
    token.id = *id;
    token.special = flag(entry, "special", false);
    token.single_word = flag(entry, "single_word", false);
    token.lstrip = flag(entry, "lstrip", false);
    token.rstrip = flag(entry, "rstrip", false);
    token.normalized = flag(entry, "normalized", !token.special);
    if (token.normalized) {
      const std::string spelling = tables_->normalize_nfc ? nfc(*content) : std::string(*content);
      tables_->normalized_finder.add(std::move(token), spelling);
    } else {
      tables_->raw_finder.add(std::move(token), *content);
    }
    return {};
  }
};

}  // namespace

Result<std::unique_ptr<const Tables>> read_tables(std::shared_ptr<const json::Document> document) {
  if (!document) return fail(ErrorKind::internal, "no document");
  return Reader(std::move(document)).run();
}

}  // namespace ckpt::tokenizer
