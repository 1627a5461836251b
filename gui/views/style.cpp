#include "gui/views/style.h"

#include <imgui/imgui.h>

namespace ckpt::gui {

Packed packed(Rgba c) {
  return IM_COL32(c.r, c.g, c.b, c.a);
}

Packed color_of_tone(Tone tone, bool dark, bool link) {
  switch (tone) {
    case Tone::bad:
      return dark ? packed({255, 110, 100}) : packed({176, 20, 20});
    case Tone::warning:
      return dark ? packed({240, 190, 80}) : packed({140, 90, 0});
    case Tone::good:
      return dark ? packed({110, 210, 120}) : packed({20, 120, 40});
    case Tone::faint:
      return faint_color(dark);
    case Tone::heading:
      return text_color(dark);
    case Tone::plain:
      break;
  }
  if (!link) return text_color(dark);
  return dark ? packed({110, 190, 255}) : packed({0, 80, 170});
}

Packed text_color(bool dark) {
  return dark ? packed({230, 230, 230}) : packed({20, 20, 20});
}

Packed faint_color(bool dark) {
  return dark ? packed({150, 150, 150}) : packed({100, 100, 100});
}

Packed series_color(std::size_t index, bool dark) {
  static constexpr std::array<Rgba, 4> kDark{
      {{90, 170, 255}, {255, 150, 90}, {120, 220, 140}, {220, 150, 255}}};
  static constexpr std::array<Rgba, 4> kLight{
      {{20, 90, 170}, {190, 80, 10}, {20, 120, 60}, {120, 40, 160}}};
  return packed((dark ? kDark : kLight)[index % kDark.size()]);
}

void apply_style(bool dark) {
  if (dark)
    ImGui::StyleColorsDark();
  else
    ImGui::StyleColorsLight();
  ImGuiStyle& style = ImGui::GetStyle();
  style.WindowRounding = 0;
  style.FrameRounding = 3;
  style.WindowBorderSize = 0;
  style.ItemSpacing = ImVec2(8, 4);
  if (dark) style.Colors[ImGuiCol_WindowBg] = ImVec4(0.10F, 0.11F, 0.12F, 1);
}

}  // namespace ckpt::gui
