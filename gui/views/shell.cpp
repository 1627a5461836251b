#include <fmt/format.h>
#include <imgui/imgui.h>
#include <imgui/imgui_stdlib.h>

#include <algorithm>

#include "gui/state/actions.h"
#include "gui/views/style.h"
#include "gui/views/views.h"
#include "validator/base/text.h"

namespace ckpt::gui {
namespace {

constexpr ImGuiWindowFlags kFixed = ImGuiWindowFlags_NoTitleBar | ImGuiWindowFlags_NoResize |
                                    ImGuiWindowFlags_NoMove | ImGuiWindowFlags_NoCollapse |
                                    ImGuiWindowFlags_NoSavedSettings |
                                    ImGuiWindowFlags_NoBringToFrontOnFocus;

constexpr std::array<void (*)(Ui&), kCanvases> kDrawCanvas{
    draw_overview, draw_heat_map, draw_histogram, draw_compare,
    draw_experts,  draw_text,     draw_routing,   draw_layers};
constexpr std::array<void (*)(Ui&), kListTabs> kDrawList{
    draw_tensor_list, draw_finding_list, draw_layer_list, draw_expert_list, draw_token_list};

/// The menus hold every action, by the first part of its id.
void draw_menu(Ui& ui) {
  constexpr std::array<std::pair<std::string_view, const char*>, 11> kMenus{{
      {"app", "Program"},
      {"edit", "Edit"},
      {"nav", "Go"},
      {"list", "List"},
      {"canvas", "Canvas"},
      {"view", "View"},
      {"cell", "Cell"},
      {"layer", "Layer"},
      {"expert", "Expert"},
      {"finding", "Finding"},
      {"token", "Token"},
  }};
  if (!ImGui::BeginMenuBar()) return;
  for (const auto& [family, title] : kMenus) {
    const bool open = ImGui::BeginMenu(title);
    record(ui, fmt::format("menu/{}", family));
    if (!open) continue;
    for (const Action& a : actions()) {
      if (a.id.substr(0, a.id.find('.')) != family) continue;
      if (ImGui::MenuItem(std::string(a.title).c_str(), std::string(a.keys).c_str())) a.run(ui.app);
      record(ui, fmt::format("menu/{}", a.id));
    }
    ImGui::EndMenu();
  }
  ImGui::EndMenuBar();
}

/// Buttons in a row that choose one of `n`.
template <class Name>
void draw_tabs(Ui& ui, const char* label, std::size_t n, std::size_t current, Name name) {
  for (std::size_t i = 0; i < n; ++i) {
    const std::string text(name(i));
    // A tab that does not fit begins a new line.
    const float width = ImGui::CalcTextSize(text.c_str()).x + 2 * ImGui::GetStyle().FramePadding.x;
    if (i > 0) ImGui::SameLine(0, 3);
    if (i > 0 && ImGui::GetContentRegionAvail().x < width) ImGui::NewLine();
    const bool on = i == current;
    if (on) ImGui::PushStyleColor(ImGuiCol_Button, ImGui::GetStyleColorVec4(ImGuiCol_ButtonActive));
    if (ImGui::Button(text.c_str())) (void)act(ui.app, fmt::format("{}.tab.{}", label, i + 1));
    if (on) ImGui::PopStyleColor();
    record(ui, fmt::format("{}/tab/{}", label, text));
  }
}

/// A strip between two parts that can be dragged.
void draw_splitter(Ui& ui, const char* label, float& width, float sign) {
  ImGui::InvisibleButton(label, {6, std::max(ImGui::GetContentRegionAvail().y, 1.F)});
  record(ui, label);
  if (ImGui::IsItemActive()) width += sign * ImGui::GetIO().MouseDelta.x;
  if (ImGui::IsItemHovered() || ImGui::IsItemActive())
    ImGui::SetMouseCursor(ImGuiMouseCursor_ResizeEW);
}

void draw_status(Ui& ui) {
  App& app = ui.app;
  const auto [title, n] = app.workers().status();
  if (n > 0) {
    if (ImGui::SmallButton("cancel")) app.cancel();
    record(ui, "status/cancel");
    ImGui::SameLine();
    const std::string text = fmt::format("{} ({})", title, n);
    ImGui::TextUnformatted(text.c_str());
    ImGui::SameLine();
  }
  const std::string text = fmt::format("{}   {}   cache {}   decoding: cpu", app.hovered,
                                       app.message, bytes_text(app.tiles().bytes()));
  ImGui::TextUnformatted(text.c_str());
  record(ui, "status");
}

}  // namespace

void draw_shell(Ui& ui, PixelSize size) {
  App& app = ui.app;
  app.hovered.clear();
  ImGui::SetNextWindowPos({0, 0});
  ImGui::SetNextWindowSize({static_cast<float>(size.width), static_cast<float>(size.height)});
  ImGui::Begin("ckpt-check", nullptr, kFixed | ImGuiWindowFlags_MenuBar);
  draw_menu(ui);
  const float below = ImGui::GetTextLineHeightWithSpacing() + 6;
  const float scale = app.scale;
  const float most = static_cast<float>(size.width) * 0.27F;
  app.list_width = std::clamp(app.list_width, 80.F, std::max(most / scale, 81.F));
  app.inspector_width = std::clamp(app.inspector_width, 80.F, std::max(most / scale, 81.F));
  const float left = std::min(app.list_width * scale, most);
  const float right = std::min(app.inspector_width * scale, most);
  const float middle = std::max(static_cast<float>(size.width) - left - right - 30, 50.F);
  ImGui::BeginChild("list", {left, -below});
  draw_tabs(ui, "list", kListTabs, static_cast<std::size_t>(app.tab),
            [](std::size_t i) { return tab_name(static_cast<ListTab>(i)); });
  kDrawList[static_cast<std::size_t>(app.tab)](ui);
  ImGui::EndChild();
  ImGui::SameLine(0, 0);
  ImGui::BeginChild("left strip", {6, -below});
  draw_splitter(ui, "splitter/left", app.list_width, 1 / scale);
  ImGui::EndChild();
  ImGui::SameLine(0, 0);
  ImGui::BeginChild("canvas", {middle, -below});
  draw_tabs(ui, "canvas", kCanvases, static_cast<std::size_t>(app.canvas),
            [](std::size_t i) { return canvas_name(static_cast<Canvas>(i)); });
  ImGui::Separator();
  kDrawCanvas[static_cast<std::size_t>(app.canvas)](ui);
  ImGui::EndChild();
  ImGui::SameLine(0, 0);
  ImGui::BeginChild("right strip", {6, -below});
  draw_splitter(ui, "splitter/right", app.inspector_width, -1 / scale);
  ImGui::EndChild();
  ImGui::SameLine(0, 0);
  ImGui::BeginChild("inspector", {0, -below});
  draw_inspector(ui);
  ImGui::EndChild();
  draw_status(ui);
  ImGui::End();
  draw_overlays(ui, size);
}

}  // namespace ckpt::gui
