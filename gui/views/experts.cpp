#include <fmt/format.h>
#include <imgui/imgui.h>

#include <algorithm>
#include <cmath>

#include "gui/state/actions.h"
#include "gui/state/expert_grid.h"
#include "gui/views/style.h"
#include "gui/views/views.h"

namespace ckpt::gui {
namespace {

/// Up to here a rectangle for each place; above it a row of experts is joined by its largest value.
constexpr int kMostMarks = 60'000;

struct Place {
  ImVec2 corner;
  float wide = 0;
  float high = 0;
};

void draw_cells(const Grid& g, const Place& at, int step) {
  ImDrawList& to = *ImGui::GetWindowDrawList();
  const Coloring coloring{.is_signed = false, .low = 0, .high = static_cast<float>(g.high())};
  for (int r = 0; r < g.rows; ++r) {
    for (int c = 0; c < g.columns; c += step) {
      double v = std::nan("");
      for (int i = c; i < std::min(c + step, g.columns); ++i) {
        if (!(v >= g.at(r, i)) && std::isfinite(g.at(r, i))) v = g.at(r, i);
      }
      if (!std::isfinite(v)) continue;
      const float x = at.corner.x + at.wide * static_cast<float>(c);
      const float y = at.corner.y + at.high * static_cast<float>(r);
      to.AddRectFilled({x, y},
                       {x + std::max(at.wide * static_cast<float>(step) - 0.5F, 1.F),
                        y + std::max(at.high - 0.5F, 1.F)},
                       packed(color_of(static_cast<float>(v), coloring)));
    }
  }
}

void draw_selected(const Ui& ui, const Grid& g, const Place& at) {
  const Selection& s = ui.app.selection();
  const auto row = std::ranges::find(g.layers, s.layer);
  const auto column = std::ranges::find(g.experts, s.expert);
  if (row == g.layers.end() || column == g.experts.end()) return;
  const float x = at.corner.x + at.wide * static_cast<float>(column - g.experts.begin());
  const float y = at.corner.y + at.high * static_cast<float>(row - g.layers.begin());
  ImGui::GetWindowDrawList()->AddRect({x - 2, y - 2}, {x + at.wide + 1, y + at.high + 1},
                                      text_color(ui.app.dark), 0, 0, 2);
}

/// The numbers of layers and experts; a click on one orders the other axis by its values.
void draw_axes(Ui& ui, const Grid& g, const Place& at) {
  ImDrawList& to = *ImGui::GetWindowDrawList();
  const Packed faint = faint_color(ui.app.dark);
  const Packed bright = text_color(ui.app.dark);
  const float line = ImGui::GetTextLineHeight();
  const GridOrder& order = ui.app.grid_order;
  const int every_row = std::max(1, static_cast<int>(std::ceil(line / at.high)));
  for (int r = 0; r < g.rows; r += every_row) {
    const int layer = g.layers[static_cast<std::size_t>(r)];
    const std::string text = fmt::format("{}", layer);
    const float y = at.corner.y + at.high * static_cast<float>(r);
    to.AddText({at.corner.x - ImGui::CalcTextSize(text.c_str()).x - 6, y + at.high / 2 - line / 2},
               order.experts == AxisOrder{OrderBy::line, layer} ? bright : faint, text.c_str());
    ui.registry.add(fmt::format("experts/layer/{}", layer),
                    {at.corner.x - 30, y, at.corner.x - 6, y + at.high});
  }
  const int every_column = std::max(1, static_cast<int>(std::ceil(4 * line / at.wide)));
  const float below = at.corner.y + at.high * static_cast<float>(g.rows);
  for (int c = 0; c < g.columns; c += every_column) {
    const int expert = g.experts[static_cast<std::size_t>(c)];
    const std::string text = fmt::format("{}", expert);
    const float x = at.corner.x + at.wide * static_cast<float>(c);
    to.AddText({x, below + 3}, order.layers == AxisOrder{OrderBy::line, expert} ? bright : faint,
               text.c_str());
    ui.registry.add(fmt::format("experts/expert/{}", expert),
                    {x, below + 3, x + at.wide, below + 3 + line});
  }
}

void show_hovered(Ui& ui, std::string text) {
  ui.app.hovered = std::move(text);
  ImGui::BeginTooltip();
  ImGui::TextUnformatted(ui.app.hovered.c_str());
  ImGui::EndTooltip();
}

void answer(Ui& ui, const Grid& g, const Place& at) {
  if (!ImGui::IsItemHovered()) return;
  const ImVec2 mouse = ImGui::GetIO().MousePos;
  const bool clicked = ImGui::IsMouseClicked(0);
  const int row = static_cast<int>(std::floor((mouse.y - at.corner.y) / at.high));
  const int column = static_cast<int>(std::floor((mouse.x - at.corner.x) / at.wide));
  const bool on_row = row >= 0 && row < g.rows;
  const bool on_column = column >= 0 && column < g.columns;
  const int layer = on_row ? g.layers[static_cast<std::size_t>(row)] : -1;
  const int expert = on_column ? g.experts[static_cast<std::size_t>(column)] : -1;
  if (on_row && on_column) {
    const double v = g.at(row, column);
    show_hovered(ui, fmt::format("layer {} expert {}: {}", layer, expert,
                                 std::isfinite(v) ? fmt::format("{:.5g}", v) : "nothing known"));
    if (clicked) ui.app.select_expert(layer, expert);
  } else if (on_row && column < 0) {
    show_hovered(ui, fmt::format("layer {}: a click orders the experts by it", layer));
    if (clicked) order_experts_by(ui.app, layer);
  } else if (on_column && row >= g.rows) {
    show_hovered(ui, fmt::format("expert {}: a click orders the layers by it", expert));
    if (clicked) order_layers_by(ui.app, expert);
  }
}

void draw_tools(Ui& ui) {
  App& app = ui.app;
  for (std::size_t i = 0; i < kExpertValues; ++i) {
    const auto value = static_cast<ExpertValue>(i);
    const std::string name(expert_value_name(value));
    if (ImGui::RadioButton(name.c_str(), app.expert_value == value)) app.expert_value = value;
    record(ui, "experts/value/" + name);
    ImGui::SameLine();
  }
  if (ImGui::SmallButton("worst (W)")) (void)act(app, "expert.worst");
  record(ui, "experts/worst");
  const auto tool = [&](const char* id, const std::string& text) {
    const float width = ImGui::CalcTextSize(text.c_str()).x + 2 * ImGui::GetStyle().FramePadding.x;
    ImGui::PushID(id);
    if (ImGui::GetContentRegionAvail().x < width) ImGui::NewLine();
    if (ImGui::SmallButton(text.c_str())) (void)act(app, id);
    ImGui::PopID();
    record(ui, std::string("tool/") + id);
    ImGui::SameLine();
  };
  const std::string by = app.grid_order.value
                             ? std::string(expert_value_name(*app.grid_order.value))
                             : "the value on show";
  tool("expert.order", "experts " + experts_order_text(app) + " (O)");
  tool("layer.order", "layers " + layers_order_text(app) + " (Shift+O)");
  tool("expert.order_value", "orders take " + by + " (B)");
  ImGui::NewLine();
}

}  // namespace

void draw_experts(Ui& ui) {
  draw_tools(ui);
  const Grid g = expert_grid(ui.app, ui.app.expert_value);
  if (g.rows == 0 || g.columns == 0) {
    draw_line(ui, {"no experts are known here", Tone::faint, {}}, "experts/none");
    return;
  }
  const std::string title =
      fmt::format("{} (layers down, experts across), 0 to {:.4g}", g.title, g.high());
  ImGui::TextUnformatted(title.c_str());
  const bool none = std::ranges::none_of(g.values, [](double v) { return std::isfinite(v); });
  if (none) {
    draw_line(ui,
              {"no value: open results of `ckpt-check kl` for error, tokens and saliency",
               Tone::faint,
               {}},
              "experts/why");
  }
  const ImVec2 room = ImGui::GetContentRegionAvail();
  Place at;
  at.corner = ImGui::GetCursorScreenPos();
  at.corner.x += 40;
  at.wide = std::clamp((room.x - 60) / static_cast<float>(g.columns), 0.5F, 40.F);
  at.high = std::clamp((room.y - 30) / static_cast<float>(g.rows), 1.F, 40.F);
  ImGui::InvisibleButton("##grid", {std::max(room.x, 16.F), std::max(room.y, 16.F)});
  ui.registry.add("experts/grid",
                  {at.corner.x, at.corner.y, at.corner.x + at.wide * static_cast<float>(g.columns),
                   at.corner.y + at.high * static_cast<float>(g.rows)});
  draw_cells(g, at, std::max(1, g.rows * g.columns / kMostMarks));
  draw_selected(ui, g, at);
  draw_axes(ui, g, at);
  answer(ui, g, at);
}

}  // namespace ckpt::gui
