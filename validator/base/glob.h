#pragma once

#include <string_view>

namespace ckpt {

/// Whether the whole text matches: `*` stands for any characters, `?` for one. Goes back to the
/// last star only, so the time is at most the product of both lengths.
[[nodiscard]] bool glob_matches(std::string_view glob, std::string_view text);

}  // namespace ckpt
