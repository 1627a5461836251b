#include <fmt/format.h>
#include <imgui/imgui.h>
#include <imgui/imgui_stdlib.h>

#include <algorithm>

#include "gui/state/actions.h"
#include "gui/views/style.h"
#include "gui/views/views.h"

namespace ckpt::gui {
namespace {

constexpr ImGuiWindowFlags kPanel = ImGuiWindowFlags_NoCollapse | ImGuiWindowFlags_NoSavedSettings |
                                    ImGuiWindowFlags_NoResize | ImGuiWindowFlags_NoMove |
                                    ImGuiWindowFlags_NoTitleBar;

bool begin_panel(const char* name, PixelSize size, float wide, float high) {
  const auto width = static_cast<float>(size.width);
  const auto height = static_cast<float>(size.height);
  ImGui::SetNextWindowSize({width * wide, height * high});
  ImGui::SetNextWindowPos({width * (1 - wide) / 2, height * 0.12F});
  ImGui::SetNextWindowFocus();
  return ImGui::Begin(name, nullptr, kPanel);
}

/// The one field of a panel; it has the keyboard. True when Enter was pressed in it.
bool draw_field(Ui& ui, const char* label, const char* hint) {
  if (ImGui::IsWindowAppearing()) ImGui::SetKeyboardFocusHere();
  ImGui::SetNextItemWidth(-1);
  const std::string before = ui.app.overlays.text;
  const bool entered = ImGui::InputTextWithHint("##text", hint, &ui.app.overlays.text,
                                                ImGuiInputTextFlags_EnterReturnsTrue);
  record(ui, label);
  if (ui.app.overlays.text != before) ui.app.overlays.choice = 0;
  return entered;
}

void draw_palette(Ui& ui, PixelSize size) {
  bool entered = false;
  std::optional<Choice> clicked;
  if (begin_panel("palette", size, 0.6F, 0.6F)) {
    entered = draw_field(ui, "palette/text", "a command, a tensor, a finding");
    const auto choices = palette_choices(ui.app, 50);
    ui.app.overlays.choice =
        std::min(ui.app.overlays.choice, choices.empty() ? 0 : choices.size() - 1);
    ImGui::BeginChild("choices");
    for (std::size_t i = 0; i < choices.size(); ++i) {
      if (pick(ui, fmt::format("palette/{}", i), choices[i].label, i == ui.app.overlays.choice)) {
        clicked = choices[i];
      }
    }
    ImGui::EndChild();
  }
  ImGui::End();
  if (clicked)
    choose(ui.app, *clicked);
  else if (entered)
    accept_overlay(ui.app);
}

void draw_question(Ui& ui, PixelSize size, const char* title, const char* hint) {
  bool entered = false;
  if (begin_panel("question", size, 0.5F, 0.14F)) {
    ImGui::TextUnformatted(title);
    entered = draw_field(ui, "question/text", hint);
  }
  ImGui::End();
  if (entered) accept_overlay(ui.app);
}

void draw_help(Ui& ui, PixelSize size) {
  if (begin_panel("help", size, 0.7F, 0.75F)) {
    draw_line(ui, {"Keys (Esc closes)", Tone::heading, {}}, "help/title");
    if (ImGui::BeginTable("keys", 3, ImGuiTableFlags_RowBg | ImGuiTableFlags_ScrollY,
                          {0, -6 * ImGui::GetTextLineHeightWithSpacing()})) {
      for (const Action& a : actions()) {
        ImGui::TableNextRow();
        for (const std::string_view text : {a.keys, a.title, a.id}) {
          ImGui::TableNextColumn();
          ImGui::TextUnformatted(text.data(), text.data() + text.size());
        }
        record(ui, fmt::format("help/{}", a.id));
      }
      ImGui::EndTable();
    }
    ImGui::TextUnformatted(
        "Filter: words match fuzzily (l39e17down); =text exactly; /re/ a pattern; -term turns "
        "round;\n"
        "dtype:bf16 layer:39 expert:17 bits:4 finding:QNT004 bytes>1G error>=0.03 name:whole.name");
  }
  ImGui::End();
}

void draw_settings(Ui& ui, PixelSize size) {
  App& app = ui.app;
  if (begin_panel("settings", size, 0.4F, 0.3F)) {
    draw_line(ui, {"Settings (Esc closes)", Tone::heading, {}}, "settings/title");
    ImGui::Checkbox("dark", &app.dark);
    record(ui, "settings/dark");
    ImGui::SliderFloat("scale", &app.scale, 0.5F, 4, "%.2f");
    record(ui, "settings/scale");
    ImGui::Checkbox("borders of groups", &app.look.groups);
    record(ui, "settings/groups");
    ImGui::Checkbox("keep the range while stepping", &app.look.locked);
    record(ui, "settings/lock");
  }
  ImGui::End();
}

}  // namespace

void draw_overlays(Ui& ui, PixelSize size) {
  const Overlays& o = ui.app.overlays;
  if (o.palette)
    draw_palette(ui, size);
  else if (o.open)
    draw_question(ui, size, "Open a checkpoint", "folder, file or org/name");
  else if (o.goto_cell)
    draw_question(ui, size, "Go to a cell", "row, column");
  else if (o.save)
    draw_question(ui, size, "Save the canvas as .png, .csv, .npy or .svg", "file name");
  else if (o.help)
    draw_help(ui, size);
  else if (o.settings)
    draw_settings(ui, size);
}

}  // namespace ckpt::gui
