#pragma once

#include <string>

namespace ckpt::repo {

/// The hub cache's folder, by the rules of huggingface_hub 1.33 (constants.py); it may not exist.
[[nodiscard]] std::string hub_cache();

/// The folder around it, with the token.
[[nodiscard]] std::string hub_home();

}  // namespace ckpt::repo
