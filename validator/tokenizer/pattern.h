#pragma once

#include <string>
#include <string_view>

#include "validator/base/result.h"

namespace ckpt::tokenizer {

/// Rewrites a split pattern, written for Oniguruma (Ruby syntax, Unicode), so that PCRE2 gives the
/// same matches: `\s` and `\w` become explicit sets, since PCRE2 counts U+180E as space and, up to
/// 10.42, no marks as word characters. Errors: unsupported "cannot be evaluated", for constructs
/// that mean something else in PCRE2 (nested sets, `&&`, `\h`, `\b`, `(?m)`, `{n}+`, ...).
[[nodiscard]] Result<std::string> to_pcre2(std::string_view pattern);

/// A pattern that matches `text` and nothing else.
[[nodiscard]] std::string literal_pattern(std::string_view text);

}  // namespace ckpt::tokenizer
