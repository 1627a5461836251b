#pragma once
// Colours of the two themes. Only for .cpp files of views: numbers are packed as ImGui packs them.

#include <cstdint>

#include "gui/state/facts.h"

namespace ckpt::gui {

/// 0xAABBGGRR.
using Packed = std::uint32_t;

[[nodiscard]] Packed color_of_tone(Tone tone, bool dark, bool link);
[[nodiscard]] Packed text_color(bool dark);
[[nodiscard]] Packed faint_color(bool dark);
/// Colours of the series of a chart, which differ in brightness too.
[[nodiscard]] Packed series_color(std::size_t index, bool dark);
[[nodiscard]] Packed packed(Rgba color);
/// Sets ImGui's colours and sizes.
void apply_style(bool dark);

}  // namespace ckpt::gui
