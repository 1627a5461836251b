#pragma once

#include <string_view>

namespace ckpt {

/// Writes all of `content` to an open descriptor, which interruptions do not cut short. Returns 0
/// or the errno of what went wrong.
[[nodiscard]] int write_all(int descriptor, std::string_view content);

}  // namespace ckpt
