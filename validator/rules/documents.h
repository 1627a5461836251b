#pragma once
// Helpers for rules that read the JSON documents of a repo.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "validator/rules/places.h"

namespace ckpt::rules {

/// The object that holds the text fields: the top of a flat config, else `text_config`. Absent when
/// config.json could not be read.
[[nodiscard]] json::Value text_object(const RuleInput& in);

/// The top of config.json; absent when it could not be read.
[[nodiscard]] json::Value config_root(const RuleInput& in);

/// A member of the text object, or the object when there is no such member.
[[nodiscard]] results::Location at_text_field(const RuleInput& in, std::string_view name);

/// A file as a whole.
[[nodiscard]] results::Location at_file(std::string_view name);

/// A hash of a value's meaning: the order of members does not matter, nor how a number is written.
[[nodiscard]] std::uint64_t digest(const json::Value& value);

/// Id of an added token by its content, from tokenizer.json.
[[nodiscard]] std::optional<std::int64_t> token_id(const RuleInput& in, std::string_view content);

/// Largest id of vocabulary and added tokens; -1 when there is no readable tokenizer.json.
[[nodiscard]] std::int64_t largest_token_id(const RuleInput& in);

}  // namespace ckpt::rules
