#pragma once

#include <string>
#include <string_view>

namespace ckpt {

/// The difference of two texts in unified format (three lines of context, `--- a/NAME` and
/// `+++ b/NAME`), or empty when they are equal. Shortest script by Myers' algorithm; beyond 2,000
/// differing lines everything between the first and the last difference is one change. The lines
/// are as in the texts: a caller that shows them must escape them.
[[nodiscard]] std::string unified_diff(std::string_view name, std::string_view before,
                                       std::string_view after);

}  // namespace ckpt
