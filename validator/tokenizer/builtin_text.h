#pragma once
// The evaluation texts inside the program, so that a first measurement needs no other file.

#include <string>
#include <string_view>
#include <vector>

namespace ckpt::tokenizer {

/// The text called `name`, such as `mixed-v1` (what `builtin:mixed-v1` selects); empty when there
/// is none. UTF-8 in normal form C, valid for the life of the program. A text never changes under
/// its name: results that name it stay comparable.
[[nodiscard]] std::string_view builtin_text(std::string_view name);

/// The names that builtin_text() knows.
[[nodiscard]] std::vector<std::string> builtin_text_names();

}  // namespace ckpt::tokenizer
