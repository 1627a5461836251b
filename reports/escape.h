#pragma once
// One escape per sink (interfaces, 4.6). Text comes from checkpoints: it has no controls left when
// it arrives here, but it may hold any other character.

#include <string>
#include <string_view>

namespace ckpt::reports {

/// For element content and for attributes in double quotes.
[[nodiscard]] std::string html(std::string_view text);

/// `text` with spaces for line breaks.
[[nodiscard]] std::string one_line(std::string_view text);

/// As html(), and what XML 1.0 forbids (controls, invalid UTF-8) becomes U+FFFD.
[[nodiscard]] std::string xml(std::string_view text);

/// `text` as it is, set as code, for prose and table cells of Markdown.
[[nodiscard]] std::string markdown_code(std::string_view text);

/// Markdown prose: parts between backticks become code spans, everything else is shown as it is and
/// makes neither markup, a table cell, a link nor a mention.
[[nodiscard]] std::string markdown(std::string_view text);

/// The message of a GitHub workflow command, and a property of one.
[[nodiscard]] std::string github_message(std::string_view text);
[[nodiscard]] std::string github_property(std::string_view text);

/// One CSV field; text that a spreadsheet would take for a formula gets an apostrophe.
[[nodiscard]] std::string csv(std::string_view text);

/// A relative path as a URI reference (RFC 3986): everything but unreserved characters and `/` is
/// percent-encoded.
[[nodiscard]] std::string uri(std::string_view path);

/// Base64 (RFC 4648) with padding.
[[nodiscard]] std::string base64(std::string_view bytes);

}  // namespace ckpt::reports
