#pragma once
// Pictures as PNG, through the image library that ImGui's package brings along.

#include <string>

#include "gui/state/viewport.h"

namespace ckpt::gui {

[[nodiscard]] std::string encode_png(const Picture& picture);
/// Errors: format.
[[nodiscard]] Result<Picture> decode_png(const std::string& bytes);

}  // namespace ckpt::gui
