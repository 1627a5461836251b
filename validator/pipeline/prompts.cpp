#include "validator/pipeline/prompts.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>

#include "validator/base/file.h"
#include "validator/base/limits.h"
#include "validator/base/text.h"
#include "validator/images/decode.h"
#include "validator/images/processor.h"

namespace ckpt::pipeline {

namespace {

/// Turns prompts into tokens, one after the other.
class Prompts {
 public:
  Prompts(const OpenedRepo& reference, std::string folder)
      : reference_(reference), folder_(std::move(folder)) {}

  Result<void> add(const json::Value& prompt);

  PromptSet out;

 private:
  using Prepared = std::shared_ptr<const images::Prepared>;

  Result<void> part(const json::Value& part);
  Result<void> text(std::string_view text);
  Result<void> image(std::string_view name);
  Result<void> ids(const json::Value& list);
  Result<void> push(std::int64_t id);
  Result<Prepared> prepared(const std::string& name);

  [[nodiscard]] const config::VisionConfig& vision() const { return *reference_.config.vision; }

  const OpenedRepo& reference_;
  std::string folder_;
  std::optional<tokenizer::Tokenizer> tokenizer_;
  std::optional<images::ProcessorConfig> processor_;
  std::map<std::string, Prepared> pictures_;  // by name as written
  std::vector<std::int32_t> ids_;             // of the prompt at hand
};

Result<void> Prompts::push(std::int64_t id) {
  if (id < 0 || id >= reference_.config.text.vocab_size) {
    return fail(ErrorKind::format, fmt::format("token id {} is outside 0 ... {}", id,
                                               reference_.config.text.vocab_size - 1));
  }
  ids_.push_back(static_cast<std::int32_t>(id));
  return {};
}

Result<void> Prompts::text(std::string_view text) {
  if (!tokenizer_) {
    CKPT_TRY(tokenizer_, read_tokenizer(reference_), "tokenizer");
  }
  CKPT_TRY(const std::vector<std::uint32_t> ids, tokenizer_->encode(text), "text");
  for (const std::uint32_t id : ids) {
    if (reference_.config.vision && id == vision().image_token_id) {
      return fail(ErrorKind::format, "the text holds the image token: name the image in a part");
    }
    CKPT_TRY_VOID(push(id), "text");
  }
  return {};
}

Result<void> Prompts::ids(const json::Value& list) {
  if (!list.is(json::Kind::array)) return fail(ErrorKind::format, "`ids` must be a list");
  Result<void> done;
  list.each([&](const json::Value& v) {
    if (done) done = push(v.integer().value_or(-1));
  });
  return done;
}

Result<Prompts::Prepared> Prompts::prepared(const std::string& name) {
  const auto known = pictures_.find(name);
  if (known != pictures_.end()) return known->second;
  if (!processor_) {
    CKPT_TRY_VOID(forward::check_vision(vision()), "reference");
    CKPT_TRY(processor_, images::read_processor(reference_.repo, vision()), "reference");
  }
  CKPT_TRY(const File file, open_file((std::filesystem::path(folder_) / name).string()), "image");
  CKPT_TRY(const std::string bytes, read_text(file, limits::kImageBytes), "image");
  CKPT_TRY(const images::Picture picture, images::decode_image(std::as_bytes(std::span(bytes))),
           "image");
  CKPT_TRY(images::Prepared made, images::Prepared::make(picture, *processor_), "image");
  out.tokens.sha256 = results::sha256_hex(out.tokens.sha256 + results::sha256_hex(bytes));
  auto shared = std::make_shared<const images::Prepared>(std::move(made));
  pictures_.emplace(name, shared);
  return shared;
}

Result<void> Prompts::image(std::string_view name) {
  if (!reference_.config.vision) {
    return fail(ErrorKind::usage, "the reference has no vision tower");
  }
  CKPT_TRY(const Prepared picture, prepared(std::string(name)), shown(name, 200));
  CKPT_TRY_VOID(push(vision().vision_start_token_id), "vision_start_token_id");
  forward::Image image{out.tokens.sequences.size(), static_cast<std::int64_t>(ids_.size()),
                       picture->grid_height(), picture->grid_width(),
                       [picture] { return picture->patches(); }};
  for (std::int64_t i = 0; i < image.tokens(vision()); ++i) {
    CKPT_TRY_VOID(push(vision().image_token_id), "image_token_id");
  }
  out.images.push_back(std::move(image));
  return push(vision().vision_end_token_id);
}

Result<void> Prompts::part(const json::Value& part) {
  if (const auto s = part.find("text").string()) return text(*s);
  if (const auto s = part.find("image").string()) return image(*s);
  if (const json::Value list = part.find("ids")) return ids(list);
  return fail(ErrorKind::format, "a part needs `text`, `image` or `ids`");
}

Result<void> Prompts::add(const json::Value& prompt) {
  ids_.clear();
  Result<void> done;
  const auto then = [&](const Result<void>& step) {
    if (done) done = step;
  };
  const json::Value content = prompt.find("content");
  const auto words = prompt.find("text").string();
  if (!content.is(json::Kind::array) && !words) {
    return fail(ErrorKind::format, "a prompt needs a list `content`, or `text`");
  }
  prompt.find("images").each([&](const json::Value& v) {
    if (!done) return;
    const auto name = v.string();
    then(name ? image(*name) : fail(ErrorKind::format, "`images` must be a list of file names"));
  });
  content.each([&](const json::Value& v) {
    if (done) then(part(v));
  });
  if (done && words) then(text(*words));
  CKPT_TRY_VOID(done, "prompt");
  if (ids_.empty()) return fail(ErrorKind::format, "a prompt without tokens");
  out.tokens.total += ids_.size();
  out.tokens.sequences.push_back(std::move(ids_));
  return {};
}

}  // namespace

Result<PromptSet> read_prompts(const std::string& path, std::uint64_t tokens,
                               const OpenedRepo& reference) {
  CKPT_TRY(const File file, open_file(path), shown(path));
  CKPT_TRY(const std::string all, read_text(file, limits::kPromptsBytes), shown(path));
  Prompts prompts(reference, std::filesystem::path(path).parent_path().string());
  TokenSet& set = prompts.out.tokens;
  set.label = shown(path);
  set.sha256 = results::sha256_hex(all);
  std::string_view left = all;
  for (std::size_t line = 1; !left.empty(); ++line) {
    if (tokens != 0 && set.total >= tokens) break;
    const std::size_t end = std::min(left.find('\n'), left.size());
    const std::string_view one = left.substr(0, end);
    left.remove_prefix(std::min(end + 1, left.size()));
    if (one.find_first_not_of(" \t\r") == std::string_view::npos) continue;
    const std::string place = fmt::format("{}: line {}", set.label, line);
    CKPT_TRY(const auto document, json::parse(std::string(one)), place);
    CKPT_TRY_VOID(prompts.add(document->root()), place);
  }
  if (set.total == 0) return fail(ErrorKind::usage, set.label + ": no prompts");
  set.shorter_than_asked = set.total < tokens;
  return std::move(prompts.out);
}

std::vector<forward::Image> images_of(const std::vector<forward::Image>& images, std::size_t first,
                                      std::size_t last) {
  std::vector<forward::Image> out;
  for (const forward::Image& image : images) {
    if (image.sequence < first || image.sequence >= last) continue;
    out.push_back(image);
    out.back().sequence -= first;
  }
  return out;
}

}  // namespace ckpt::pipeline
