#include "validator/rules/documents.h"

#include <algorithm>
#include <functional>
#include <utility>
#include <vector>

#include "validator/base/text.h"

namespace ckpt::rules {
namespace {

std::uint64_t mix(std::uint64_t a, std::uint64_t b) {
  const std::uint64_t x = (a ^ (b + 0x9E3779B97F4A7C15ULL)) * 0xFF51AFD7ED558CCDULL;
  return x ^ (x >> 32);
}

json::Value tokenizer_root(const RuleInput& in) {
  return in.tokenizer.document ? in.tokenizer.document->root() : json::Value{};
}

}  // namespace

json::Value config_root(const RuleInput& in) {
  return in.config->document ? in.config->document->root() : json::Value{};
}

json::Value text_object(const RuleInput& in) {
  const json::Value root = config_root(in);
  return in.config->nested ? root.find("text_config") : root;
}

results::Location at_text_field(const RuleInput& in, std::string_view name) {
  const json::Value object = text_object(in);
  const json::Value field = object.find(name);
  return at_json(
      "config.json",
      field ? json::pointer_append(in.config->text.pointer, name) : in.config->text.pointer,
      field ? field : object);
}

results::Location at_file(std::string_view name) {
  results::Location w;
  w.file = shown(name);
  return w;
}

std::uint64_t digest(const json::Value& value) {
  if (!value) return 0;
  std::uint64_t out = static_cast<std::uint64_t>(value.kind()) + 1;
  if (value.is(json::Kind::object)) {
    std::vector<std::pair<std::string_view, std::uint64_t>> members;
    value.each_member(
        [&](const json::Member& m) { members.emplace_back(m.name, digest(m.value)); });
    std::ranges::sort(members);
    for (const auto& [name, d] : members) {
      out = mix(mix(out, std::hash<std::string_view>{}(name)), d);
    }
  } else if (value.is(json::Kind::array)) {
    value.each([&](const json::Value& v) { out = mix(out, digest(v)); });
  } else if (const auto number = value.number()) {
    out = mix(out, std::hash<double>{}(*number));
  } else if (const auto text = value.string()) {
    out = mix(out, std::hash<std::string_view>{}(*text));
  } else {
    out = mix(out, std::hash<std::string_view>{}(value.raw()));
  }
  return out;
}

std::optional<std::int64_t> token_id(const RuleInput& in, std::string_view content) {
  std::optional<std::int64_t> id;
  tokenizer_root(in).find("added_tokens").each([&](const json::Value& t) {
    if (t.find("content").string().value_or("") == content) id = t.find("id").integer();
  });
  return id;
}

std::int64_t largest_token_id(const RuleInput& in) {
  std::int64_t largest = -1;
  const json::Value root = tokenizer_root(in);
  const auto note = [&largest](const json::Value& id) {
    largest = std::max(largest, id.integer().value_or(-1));
  };
  root.find("added_tokens").each([&note](const json::Value& t) { note(t.find("id")); });
  root.find("model").find("vocab").each_member([&note](const json::Member& m) { note(m.value); });
  return largest;
}

}  // namespace ckpt::rules
