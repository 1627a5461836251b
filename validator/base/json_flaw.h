#pragma once
// Where and why a text is not JSON: slow and exact, used only after the fast parser has refused.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "validator/base/result.h"

namespace ckpt::json {

struct Flaw {
  ErrorKind kind = ErrorKind::format;
  std::uint64_t offset = 0;
  std::string what;
};

/// The first flaw of `text` by RFC 8259 and our limits, or empty when there is none. UTF-8 is not
/// looked at. A fraction or exponent beyond the largest double is a flaw, a large integer is not.
[[nodiscard]] std::optional<Flaw> find_flaw(std::string_view text);

/// The flaw of a number literal at `offset` that is above kNumberChars, or empty. The zeros between
/// `0.` and the first other digit do not count: they cost nothing to convert.
[[nodiscard]] std::optional<Flaw> length_flaw(std::string_view literal, std::uint64_t offset);

}  // namespace ckpt::json
