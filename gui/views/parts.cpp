#include <fmt/format.h>
#include <imgui/imgui.h>

#include "gui/state/actions.h"
#include "gui/views/style.h"
#include "gui/views/views.h"

namespace ckpt::gui {

void record(Ui& ui, std::string label) {
  const ImVec2 low = ImGui::GetItemRectMin();
  const ImVec2 high = ImGui::GetItemRectMax();
  ui.registry.add(std::move(label), {low.x, low.y, high.x, high.y});
}

bool pick(Ui& ui, const std::string& label, std::string_view text, bool selected) {
  // The text is drawn beside the widget and never part of its id: names may hold `##`.
  ImGui::PushID(label.c_str());
  const float x = ImGui::GetCursorPosX();
  const bool clicked = ImGui::Selectable("##pick", selected);
  record(ui, label);
  ImGui::SameLine();
  ImGui::SetCursorPosX(x);
  ImGui::TextUnformatted(text.data(), text.data() + text.size());
  ImGui::PopID();
  return clicked;
}

void draw_line(Ui& ui, const Line& line, const std::string& label) {
  ImGui::PushStyleColor(ImGuiCol_Text, color_of_tone(line.tone, ui.app.dark, !line.target.empty()));
  if (line.target.empty()) {
    ImGui::PushTextWrapPos(0);
    ImGui::TextUnformatted(line.text.data(), line.text.data() + line.text.size());
    ImGui::PopTextWrapPos();
    record(ui, label);
    if (ImGui::IsItemClicked()) ui.app.copied = line.text;
  } else if (pick(ui, label, line.text, false)) {
    choose(ui.app, {line.text, line.target});
  }
  ImGui::PopStyleColor();
}

void draw_overview(Ui& ui) {
  ImGui::BeginChild("overview");
  std::size_t i = 0;
  for (const Line& line : overview_lines(ui.app)) {
    if (line.tone == Tone::heading && i > 0) ImGui::Spacing();
    draw_line(ui, line, fmt::format("overview/{}", i++));
    if (line.tone == Tone::heading) ImGui::Separator();
  }
  ImGui::EndChild();
}

void draw_inspector(Ui& ui) {
  const Inspected seen = inspect_selection(ui.app);
  ImGui::PushTextWrapPos(0);
  ImGui::TextUnformatted(seen.title.c_str());
  ImGui::Separator();
  for (const Fact& f : seen.facts) {
    if (!f.name.empty()) {
      ImGui::PushStyleColor(ImGuiCol_Text, color_of_tone(Tone::faint, ui.app.dark, false));
      ImGui::TextUnformatted(f.name.c_str());
      ImGui::PopStyleColor();
      ImGui::SameLine();
    }
    ImGui::TextUnformatted(f.value.c_str());
    record(ui, "inspector/" + f.name);
    if (ImGui::IsItemClicked()) ui.app.copied = f.value;
  }
  ImGui::PopTextWrapPos();
  if (!seen.links.empty()) ImGui::Separator();
  std::size_t i = 0;
  for (const Line& link : seen.links) draw_line(ui, link, fmt::format("inspector/link/{}", i++));
}

}  // namespace ckpt::gui
