#include <fmt/format.h>
#include <imgui/imgui.h>

#include <algorithm>
#include <bit>
#include <cmath>

#include "gui/state/actions.h"
#include "gui/views/style.h"
#include "gui/views/views.h"

namespace ckpt::gui {
namespace {

/// From this width on a cell shows its number.
constexpr double kNumberWidth = 48;

std::uint64_t mixed(std::uint64_t seed, std::uint64_t v) {
  return (seed ^ v) * 0x9E3779B97F4A7C15ULL + (seed >> 29);
}

/// Changes whenever the picture of a pane would.
std::uint64_t picture_key(const App& app, const Pane& pane, PixelSize size) {
  const Coloring c = app.coloring(pane);
  std::uint64_t key = mixed(pane.number, pane.revision);
  const auto bits = [](double v) { return std::bit_cast<std::uint64_t>(v); };
  const Viewport& v = app.look.view;
  for (const double d :
       {v.row, v.column, v.cell_height, v.cell_width, double{c.low}, double{c.high}}) {
    key = mixed(key, bits(d));
  }
  key = mixed(
      key, static_cast<std::uint64_t>(size.width) << 20 ^ static_cast<std::uint64_t>(size.height));
  key =
      mixed(key, static_cast<std::uint64_t>(c.map) << 8 ^ static_cast<std::uint64_t>(c.scale) << 4 ^
                     static_cast<std::uint64_t>(app.look.reduce) << 16 ^ (c.is_signed ? 1U : 0U) ^
                     (app.look.fitted ? 2U : 0U));
  return key;
}

void move_view(Ui& ui, const ImVec2& corner) {
  Look& look = ui.app.look;
  const ImGuiIO& io = ImGui::GetIO();
  if (ImGui::IsItemHovered() && io.MouseWheel != 0) {
    look.fitted = false;
    look.view = zoomed(look.view, std::pow(1.2, double{io.MouseWheel}),
                       double{io.MousePos.x - corner.x}, double{io.MousePos.y - corner.y});
  }
  if (ImGui::IsItemActive() && ImGui::IsMouseDragging(0, 3)) {
    look.fitted = false;
    look.view.column -= double{io.MouseDelta.x} / look.view.cell_width;
    look.view.row -= double{io.MouseDelta.y} / look.view.cell_height;
  }
  if (ImGui::IsItemHovered() && ImGui::IsMouseDoubleClicked(0)) look.fitted = true;
}

/// The cell under a point, empty outside of the matrix.
std::optional<Cell> cell_under(const Look& look, const Matrix& m, float x, float y) {
  const double row = std::floor(look.view.row + double{y} / look.view.cell_height);
  const double column = std::floor(look.view.column + double{x} / look.view.cell_width);
  if (row < 0 || column < 0 || row >= static_cast<double>(m.rows()) ||
      column >= static_cast<double>(m.columns())) {
    return std::nullopt;
  }
  return Cell{static_cast<std::uint64_t>(row), static_cast<std::uint64_t>(column)};
}

/// Lines after every `step` cells of one axis; `at` is where a cell begins, `size` how far one
/// sees.
template <class At, class Draw>
void draw_lines(std::uint64_t step, double first, std::uint64_t cells, double cell, int size, At at,
                Draw draw) {
  // Borders closer than that would hide the cells.
  if (step == 0 || static_cast<double>(step) * cell < 6) return;
  const auto begin = static_cast<std::uint64_t>(std::max(first, 0.0)) / step * step;
  for (std::uint64_t i = begin; i <= cells; i += step) {
    const double x = at(static_cast<double>(i));
    if (x > size) break;
    if (x >= 0) draw(static_cast<float>(x));
  }
}

void draw_borders(Ui& ui, const Pane& pane, const ImVec2& corner, PixelSize size) {
  const Borders borders = borders_of(*ui.app.session(), pane.id);
  const Viewport& v = ui.app.look.view;
  ImDrawList& to = *ImGui::GetWindowDrawList();
  constexpr Packed kLine = 0xA0000000U;
  draw_lines(
      borders.columns, v.column, pane.matrix->columns(), v.cell_width, size.width,
      [&](double c) { return v.x_of(c); },
      [&](float x) {
        to.AddLine({corner.x + x, corner.y},
                   {corner.x + x, corner.y + static_cast<float>(size.height)}, kLine);
      });
  draw_lines(
      borders.rows, v.row, pane.matrix->rows(), v.cell_height, size.height,
      [&](double r) { return v.y_of(r); },
      [&](float y) {
        to.AddLine({corner.x, corner.y + y},
                   {corner.x + static_cast<float>(size.width), corner.y + y}, kLine);
      });
}

/// Numbers in the cells; they come from the tiles of level 0 that are drawn anyway.
void draw_numbers(Ui& ui, Pane& pane, const ImVec2& corner, PixelSize size,
                  std::vector<float>& values) {
  const Viewport& v = ui.app.look.view;
  if (v.cell_width < kNumberWidth || v.cell_height < 14) return;
  const Matrix& m = *pane.matrix;
  Block b;
  b.row = static_cast<std::uint64_t>(std::max(v.row, 0.0));
  b.column = static_cast<std::uint64_t>(std::max(v.column, 0.0));
  b.row_end =
      std::min(m.rows(), b.row + static_cast<std::uint64_t>(size.height / v.cell_height) + 2);
  b.column_end =
      std::min(m.columns(), b.column + static_cast<std::uint64_t>(size.width / v.cell_width) + 2);
  if (!ui.app.values_of(pane, b, values)) return;
  ImDrawList& to = *ImGui::GetWindowDrawList();
  const Coloring coloring = ui.app.coloring(pane);
  std::size_t i = 0;
  for (std::uint64_t r = b.row; r < b.row_end; ++r) {
    for (std::uint64_t c = b.column; c < b.column_end; ++c) {
      const float value = values[i++];
      const Rgba under = color_of(value, coloring);
      const bool bright = 3 * under.r + 6 * under.g + under.b > 1280;
      const std::string text = fmt::format("{:.3g}", value);
      to.AddText({corner.x + static_cast<float>(v.x_of(static_cast<double>(c))) + 3,
                  corner.y + static_cast<float>(v.y_of(static_cast<double>(r))) + 1},
                 bright ? 0xFF000000U : 0xFFFFFFFFU, text.c_str());
    }
  }
}

void draw_selected_cell(Ui& ui, const ImVec2& corner) {
  const auto& cell = ui.app.selection().cell;
  if (!cell) return;
  const Viewport& v = ui.app.look.view;
  const auto x = corner.x + static_cast<float>(v.x_of(static_cast<double>(cell->column)));
  const auto y = corner.y + static_cast<float>(v.y_of(static_cast<double>(cell->row)));
  const float wide = std::max(static_cast<float>(v.cell_width), 7.F);
  const float high = std::max(static_cast<float>(v.cell_height), 7.F);
  ImDrawList& to = *ImGui::GetWindowDrawList();
  to.AddRect({x - 2, y - 2}, {x + wide + 1, y + high + 1}, 0xFF000000U, 0, 0, 3);
  to.AddRect({x - 2, y - 2}, {x + wide + 1, y + high + 1}, 0xFF00FFFFU, 0, 0, 1);
}

/// The colour bar with the distribution of the values behind it; dragging it sets the range.
void draw_color_bar(Ui& ui, const Pane& pane, float width) {
  App& app = ui.app;
  const Coloring c = app.coloring(pane);
  const float height = ImGui::GetTextLineHeight() * 2;
  const ImVec2 corner = ImGui::GetCursorScreenPos();
  ImGui::InvisibleButton("##bar", {width, height});
  record(ui, "heat_map/color_bar");
  ImDrawList& to = *ImGui::GetWindowDrawList();
  constexpr int kSteps = 64;
  const float step = width / kSteps;
  std::vector<double> counts;
  if (pane.census != nullptr)
    counts = pane.census->histogram(c.is_signed ? -c.high : c.low, c.high, kSteps);
  double most = 1;
  for (const double n : counts) most = std::max(most, std::log1p(n));
  for (int i = 0; i < kSteps; ++i) {
    const float x = corner.x + step * static_cast<float>(i);
    const double part = (static_cast<double>(i) + 0.5) / kSteps;
    const double value = c.is_signed ? (2 * part - 1) * double{c.high} : part * double{c.high};
    to.AddRectFilled({x, corner.y}, {x + step + 0.5F, corner.y + height},
                     packed(color_of(static_cast<float>(value), c)));
    if (counts.empty()) continue;
    const float up =
        static_cast<float>(std::log1p(counts[static_cast<std::size_t>(i)]) / most) * height;
    to.AddRectFilled({x, corner.y + height - up}, {x + step - 1, corner.y + height}, 0x60000000U);
  }
  if (ImGui::IsItemActive() && ImGui::IsMouseDragging(0, 1)) {
    const float base = app.look.high > 0 ? app.look.high : c.high;
    app.look.high = base * std::pow(1.01F, ImGui::GetIO().MouseDelta.x);
  }
  const std::string text =
      fmt::format("{:.4g} to {:.4g}{}{}", c.is_signed ? -c.high : c.low, c.high,
                  c.scale == Scale::linear ? ""
                  : c.scale == Scale::log  ? ", log"
                                           : ", symlog",
                  app.look.locked ? ", locked" : "");
  ImGui::TextUnformatted(text.c_str());
}

void tell_specials(Ui& ui, const Pane& pane) {
  if (pane.census == nullptr) return;
  const Census& c = *pane.census;
  const auto n = c.nan + c.plus_inf + c.minus_inf;
  const std::string text =
      n == 0 ? "no NaN, no infinity"
             : fmt::format("{} NaN, {} +Inf, {} -Inf (N: next)", c.nan, c.plus_inf, c.minus_inf);
  ImGui::SameLine();
  if (n == 0) {
    draw_line(ui, {text, Tone::faint, {}}, "heat_map/specials");
    return;
  }
  if (ImGui::SmallButton(text.c_str())) (void)act(ui.app, "cell.next_special");
  record(ui, "heat_map/specials");
  ImGui::SameLine();
  if (ImGui::SmallButton("previous")) (void)act(ui.app, "cell.previous_special");
  record(ui, "heat_map/specials/previous");
}

/// What is known of the cell under the pointer, a fact a line.
void show_cell_tip(Ui& ui, const std::string& label) {
  std::string text = ui.app.hovered;
  for (std::size_t at = text.find("  "); at != std::string::npos; at = text.find("  ", at + 1)) {
    text.replace(at, 2, "\n");
  }
  ImGui::BeginTooltip();
  ImGui::TextUnformatted(text.c_str());
  record(ui, label + "/tip");
  ImGui::EndTooltip();
}

}  // namespace

void draw_matrix(Ui& ui, Source source, std::size_t slot, const std::string& label, float width,
                 float height) {
  App& app = ui.app;
  Pane& pane = app.pane(source);
  const ImVec2 corner = ImGui::GetCursorScreenPos();
  const PixelSize size{std::max(static_cast<int>(width), 16),
                       std::max(static_cast<int>(height), 16)};
  if (pane.matrix == nullptr) {
    const std::string why = pane.error.empty() ? "reading" : pane.error;
    ImGui::BeginChild(label.c_str(), {width, height});
    draw_line(ui, {why, pane.error.empty() ? Tone::faint : Tone::warning, {}}, label + "/why");
    ImGui::EndChild();
    return;
  }
  app.look.size = size;
  CachedPicture& cached = ui.pictures[slot];
  std::uint64_t key = picture_key(app, pane, size);
  if (cached.key != key || cached.texture == nullptr) {
    cached.texture = ui.textures.upload(slot, app.draw(pane, size));
    // Drawing may have fitted the view, which is part of the key.
    cached.key = picture_key(app, pane, size);
  }
  ImGui::PushID(label.c_str());
  const ImVec2 extent{static_cast<float>(size.width), static_cast<float>(size.height)};
  ImGui::InvisibleButton("##cells", extent);
  record(ui, label);
  ImDrawList& to = *ImGui::GetWindowDrawList();
  to.PushClipRect(corner, {corner.x + extent.x, corner.y + extent.y}, true);
  if (cached.texture != nullptr) {
    to.AddImage(cached.texture, corner, {corner.x + extent.x, corner.y + extent.y});
  }
  move_view(ui, corner);
  if (app.look.groups) draw_borders(ui, pane, corner, size);
  draw_numbers(ui, pane, corner, size, ui.numbers);
  draw_selected_cell(ui, corner);
  to.PopClipRect();
  if (ImGui::IsItemHovered()) {
    const ImVec2 mouse = ImGui::GetIO().MousePos;
    const auto cell = cell_under(app.look, *pane.matrix, mouse.x - corner.x, mouse.y - corner.y);
    if (cell) {
      const bool weight = source != Source::stored && app.selection().module >= 0;
      const CellFacts* facts = weight ? app.cell_facts(*cell) : nullptr;
      app.hovered =
          facts != nullptr ? cell_text(*facts) : fmt::format("[{}, {}]", cell->row, cell->column);
      show_cell_tip(ui, label);
      if (ImGui::IsMouseReleased(0) && ImGui::GetMouseDragDelta(0).x == 0 &&
          ImGui::GetIO().MouseDownDurationPrev[0] < 0.3F) {
        app.select_cell(*cell);
      }
    }
  }
  ImGui::PopID();
}

void draw_matrix_tools(Ui& ui, bool with_source) {
  App& app = ui.app;
  if (with_source) {
    for (const Source s : kSources) {
      const std::string name(source_name(s));
      const float width = ImGui::CalcTextSize(name.c_str()).x + ImGui::GetFrameHeight() + 6;
      if (s != kSources.front() && ImGui::GetContentRegionAvail().x < width) ImGui::NewLine();
      if (ImGui::RadioButton(name.c_str(), app.shown_source() == s)) {
        app.look.source = s;
        app.look.hold_reference = false;
      }
      record(ui, "source/" + name);
      ImGui::SameLine();
    }
    ImGui::NewLine();
  }
  const auto tool = [&](const char* id, const std::string& text) {
    if (ImGui::SmallButton(text.c_str())) (void)act(app, id);
    record(ui, std::string("tool/") + id);
    ImGui::SameLine();
  };
  constexpr std::array<const char*, 3> kScales{"linear", "log", "symlog"};
  constexpr std::array<const char*, 4> kMaps{"auto", "viridis", "diverging", "gray"};
  tool("view.fit", "fit");
  tool("view.actual", "1:1");
  tool("view.zoom_in", "+");
  tool("view.zoom_out", "-");
  tool("view.scale", std::string("scale: ") + kScales[static_cast<std::size_t>(app.look.scale)]);
  tool("view.colormap", std::string("map: ") + kMaps[static_cast<std::size_t>(app.look.map)]);
  tool("view.reduce", "pixel: " + std::string(reduce_name(app.look.reduce)));
  tool("view.groups", app.look.groups ? "groups: on" : "groups: off");
  ImGui::NewLine();
}

void draw_heat_map(Ui& ui) {
  App& app = ui.app;
  if (app.session() == nullptr || (app.selection().tensor < 0 && app.selection().module < 0)) {
    draw_line(ui, {"select a tensor", Tone::faint, {}}, "heat_map/none");
    return;
  }
  draw_matrix_tools(ui, true);
  const float below = 4 * ImGui::GetTextLineHeightWithSpacing();
  const ImVec2 room = ImGui::GetContentRegionAvail();
  draw_matrix(ui, app.shown_source(), 0, "heat_map/cells", room.x, room.y - below);
  Pane& pane = app.pane(app.shown_source());
  if (pane.matrix == nullptr) return;
  draw_color_bar(ui, pane, std::min(room.x, 400.F));
  tell_specials(ui, pane);
  ImGui::SameLine();
  const std::string size =
      fmt::format("{} x {}{}", pane.matrix->rows(), pane.matrix->columns(),
                  pane.census != nullptr && pane.census->sampled ? ", sampled" : "");
  ImGui::TextUnformatted(size.c_str());
}

void draw_compare(Ui& ui) {
  App& app = ui.app;
  if (app.session() == nullptr || app.selection().module < 0) {
    draw_line(ui, {"select a weight", Tone::faint, {}}, "compare/none");
    return;
  }
  draw_matrix_tools(ui, false);
  const ImVec2 room = ImGui::GetContentRegionAvail();
  const float line = ImGui::GetTextLineHeightWithSpacing();
  const float width = (room.x - 16) / 3;
  const float height = room.y * 0.55F - line;
  constexpr std::array<Source, 3> kThree{Source::decoded, Source::reference, Source::difference};
  for (std::size_t i = 0; i < kThree.size(); ++i) {
    if (i > 0) ImGui::SameLine();
    ImGui::BeginGroup();
    ImGui::TextUnformatted(i == 0 ? "candidate" : source_name(kThree[i]).data());
    draw_matrix(ui, kThree[i], 1 + i, fmt::format("compare/{}", source_name(kThree[i])), width,
                height);
    ImGui::EndGroup();
  }
  const ImVec2 rest = ImGui::GetContentRegionAvail();
  if (ImGui::BeginChild("values", {rest.x * 0.5F, rest.y})) {
    (void)draw_figure(ui, histogram_figure(app, true), "compare/chart",
                      ImGui::GetContentRegionAvail().y, std::nan(""));
  }
  ImGui::EndChild();
  ImGui::SameLine();
  if (ImGui::BeginChild("scatter", {0, rest.y})) {
    (void)draw_figure(ui, scatter_figure(app), "compare/scatter", rest.y / 2 - 4, std::nan(""));
    (void)draw_figure(ui, group_error_figure(app), "compare/groups", rest.y / 2 - 4, std::nan(""));
  }
  ImGui::EndChild();
}

}  // namespace ckpt::gui
