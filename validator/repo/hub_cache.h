#pragma once

#include <string>
#include <string_view>

namespace ckpt::repo {

/// The hub cache's folder, by the rules of huggingface_hub 1.33 (constants.py); it may not exist.
[[nodiscard]] std::string hub_cache();

/// Whether `s` is a commit in full, and not a branch or tag.
[[nodiscard]] inline bool is_commit(std::string_view s) {
  return s.size() == 40 && s.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

/// The folder around it, with the token.
[[nodiscard]] std::string hub_home();

}  // namespace ckpt::repo
