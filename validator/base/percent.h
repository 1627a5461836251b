#pragma once

#include <fmt/format.h>

#include <string>
#include <string_view>

namespace ckpt {

/// Everything but unreserved characters (RFC 3986) and those of `kept` as `%XX`.
[[nodiscard]] inline std::string percent_encoded(std::string_view text, std::string_view kept) {
  std::string out;
  for (const char c : text) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       std::string_view("-._~").find(c) != std::string_view::npos ||
                       kept.find(c) != std::string_view::npos;
    out += plain ? std::string(1, c) : fmt::format("%{:02X}", static_cast<unsigned char>(c));
  }
  return out;
}

}  // namespace ckpt
