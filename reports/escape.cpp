#include "reports/escape.h"

#include <fmt/format.h>

#include <algorithm>

#include "validator/base/percent.h"
#include "validator/base/text.h"

namespace ckpt::reports {
namespace {

/// `text` with some characters replaced; `replacement` returns an empty view for the others.
template <class Replacement>
std::string replaced(std::string_view text, Replacement&& replacement) {
  std::string out;
  out.reserve(text.size() + text.size() / 8);
  for (const char c : text) {
    const std::string_view r = replacement(c);
    if (r.empty()) {
      out += c;
    } else {
      out += r;
    }
  }
  return out;
}

std::string_view entity(char c) {
  switch (c) {
    case '&':
      return "&amp;";
    case '<':
      return "&lt;";
    case '>':
      return "&gt;";
    case '"':
      return "&quot;";
    case '\'':
      return "&#39;";
    default:
      return {};
  }
}

/// Length of the UTF-8 sequence at the begin of `s` when XML allows its character, else 0.
std::size_t xml_character(std::string_view s) {
  const auto byte = [&s](std::size_t i) { return static_cast<unsigned char>(s[i]); };
  const unsigned char c = byte(0);
  if (c < 0x80) return c >= 0x20 || c == '\t' || c == '\n' || c == '\r' ? 1 : 0;
  const std::size_t n = c >= 0xF0 && c <= 0xF4 ? 4 : c >= 0xE0 ? 3 : c >= 0xC2 ? 2 : 0;
  if (n == 0 || c > 0xF4 || s.size() < n) return 0;
  std::uint32_t code = c & (0xFFU >> (n + 1));
  for (std::size_t i = 1; i < n; ++i) {
    if ((byte(i) & 0xC0) != 0x80) return 0;
    code = (code << 6) | (byte(i) & 0x3FU);
  }
  const bool shortest = code >= (n == 2 ? 0x80U : n == 3 ? 0x800U : 0x10000U);
  const bool surrogate = code >= 0xD800 && code < 0xE000;
  return shortest && !surrogate && code <= 0x10FFFF && code != 0xFFFE && code != 0xFFFF ? n : 0;
}

/// Prose of Markdown. A comment is the one thing that ends an automatic link or a mention without
/// being seen.
std::string_view markdown_character(char c) {
  switch (c) {
    case '\\':
      return "\\\\";
    case '`':
      return "\\`";
    case '*':
      return "\\*";
    case '_':
      return "\\_";
    case '[':
      return "\\[";
    case ']':
      return "\\]";
    case '<':
      return "&lt;";
    case '>':
      return "&gt;";
    case '&':
      return "&amp;";
    case '|':
      return "&#124;";
    case '#':
      return "\\#";
    case '~':
      return "\\~";
    case '!':
      return "\\!";
    case '$':
      return "\\$";
    case '@':
      return "@<!-- -->";
    case ':':
      return ":<!-- -->";
    case '\n':
    case '\r':
      return " ";
    default:
      return {};
  }
}

std::string markdown_plain(std::string_view text) {
  std::string out = replaced(text, markdown_character);
  // `www.` makes a link without a colon.
  for (std::size_t at = 0; (at = out.find('.', at)) != std::string::npos;) {
    const bool www = at >= 3 && (out[at - 1] == 'w' || out[at - 1] == 'W');
    if (www) out.insert(at, "<!-- -->");
    at += www ? 9 : 1;
  }
  return out;
}

}  // namespace

std::string html(std::string_view text) {
  return replaced(text, entity);
}

std::string one_line(std::string_view text) {
  return replaced(text, [](char c) -> std::string_view {
    return c == '\n' || c == '\r' ? " " : std::string_view{};
  });
}

std::string xml(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const std::size_t n = xml_character(text);
    if (n == 0) {
      out += "\xEF\xBF\xBD";
    } else {
      out += html(text.substr(0, n));
    }
    text.remove_prefix(std::max<std::size_t>(n, 1));
  }
  return out;
}

std::string markdown_code(std::string_view text) {
  // A pipe ends a table cell even in a code span, and a backslash before it may escape or not.
  if (text.empty() || text.find_first_of("|`") != std::string_view::npos) {
    return fmt::format("<code>{}</code>", markdown_plain(text));
  }
  const bool padded = text.front() == ' ' && text.back() == ' ';
  const std::string_view pad = padded ? " " : "";
  return fmt::format("`{}{}{}`", pad, one_line(text), pad);
}

std::string markdown(std::string_view text) {
  std::string out;
  bool code = false;
  const bool paired = std::ranges::count(text, '`') % 2 == 0;
  while (paired) {
    const std::size_t tick = text.find('`');
    const std::string_view part = text.substr(0, tick);
    out += !code ? markdown_plain(part) : part.empty() ? "" : markdown_code(part);
    if (tick == std::string_view::npos) return out;
    text.remove_prefix(tick + 1);
    code = !code;
  }
  return markdown_plain(text);
}

std::string github_message(std::string_view text) {
  return replaced(text, [](char c) -> std::string_view {
    if (c == '%') return "%25";
    if (c == '\r') return "%0D";
    return c == '\n' ? "%0A" : "";
  });
}

std::string github_property(std::string_view text) {
  return replaced(github_message(text), [](char c) -> std::string_view {
    if (c == ':') return "%3A";
    return c == ',' ? "%2C" : "";
  });
}

std::string csv(std::string_view text) {
  std::string out;
  if (!text.empty() && std::string_view("=+-@\t\r").find(text.front()) != std::string_view::npos) {
    out = "'";
  }
  out += text;
  if (out.find_first_of("\",\r\n") == std::string::npos) return out;
  return '"' + replaced(out, [](char c) { return c == '"' ? "\"\"" : std::string_view{}; }) + '"';
}

std::string uri(std::string_view path) {
  return percent_encoded(path, "/");
}

std::string base64(std::string_view bytes) {
  constexpr std::string_view kDigits =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  const auto byte = [&bytes](std::size_t i) {
    return i < bytes.size() ? std::uint32_t{static_cast<unsigned char>(bytes[i])} : 0U;
  };
  std::string out;
  out.reserve((bytes.size() + 2) / 3 * 4);
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    const std::uint32_t word = byte(i) << 16 | byte(i + 1) << 8 | byte(i + 2);
    out += kDigits[word >> 18];
    out += kDigits[word >> 12 & 63];
    out += i + 1 < bytes.size() ? kDigits[word >> 6 & 63] : '=';
    out += i + 2 < bytes.size() ? kDigits[word & 63] : '=';
  }
  return out;
}

}  // namespace ckpt::reports
