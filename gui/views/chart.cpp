#include <fmt/format.h>
#include <imgui/imgui.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "gui/views/style.h"
#include "gui/views/views.h"

namespace ckpt::gui {
namespace {

constexpr double kNone = std::numeric_limits<double>::quiet_NaN();

struct Range {
  double low = std::numeric_limits<double>::infinity();
  double high = -std::numeric_limits<double>::infinity();

  void add(double v) {
    if (!std::isfinite(v)) return;
    low = std::min(low, v);
    high = std::max(high, v);
  }

  void widen() {
    if (!(high >= low)) low = 0, high = 1;
    if (high == low) high = low + 1;
  }
};

/// A chart's place on the screen and its axes.
struct Frame {
  ImVec2 low, high;
  Range x, y;
  bool log_y = false;

  [[nodiscard]] double up(double v) const { return log_y ? std::log10(v) : v; }

  [[nodiscard]] float at_x(double v) const {
    return low.x + static_cast<float>((v - x.low) / (x.high - x.low)) * (high.x - low.x);
  }

  [[nodiscard]] float at_y(double v) const {
    return high.y - static_cast<float>((up(v) - y.low) / (y.high - y.low)) * (high.y - low.y);
  }

  [[nodiscard]] bool shows(double v) const { return std::isfinite(v) && (!log_y || v > 0); }
};

void set_ranges(const Figure& figure, Frame& f) {
  f.log_y = figure.log_y;
  for (const Series& s : figure.series) {
    for (const double v : s.x) {
      f.x.add(v - s.width / 2);
      f.x.add(v + s.width / 2);
    }
    for (const double v : s.y) {
      if (f.shows(v)) f.y.add(f.up(v));
    }
  }
  if (!f.log_y) f.y.add(0);
  f.x.widen();
  f.y.widen();
  if (f.log_y) f.y.low = std::floor(f.y.low);
}

/// A step of 1, 2 or 5 times a power of ten that makes about `n` ticks.
double tick_step(double span, int n) {
  const double raw = span / n;
  const double power = std::pow(10, std::floor(std::log10(raw)));
  for (const double k : {1.0, 2.0, 5.0}) {
    if (raw <= k * power) return k * power;
  }
  return 10 * power;
}

void draw_axes(ImDrawList& to, const Figure& figure, const Frame& f, bool dark) {
  const Packed faint = faint_color(dark);
  const Packed grid = (faint & 0x00FFFFFFU) | 0x30000000U;
  const float line = ImGui::GetTextLineHeight();
  to.AddRect(f.low, f.high, grid);
  const double y_step = std::max(tick_step(f.y.high - f.y.low, 5), f.log_y ? 1.0 : 0.0);
  for (double t = std::ceil(f.y.low / y_step) * y_step; t <= f.y.high * (1 + 1e-9); t += y_step) {
    const double value = f.log_y ? std::pow(10, t) : t;
    const float y = f.at_y(value);
    if (!(y >= f.low.y - 1)) break;
    to.AddLine({f.low.x, y}, {f.high.x, y}, grid);
    const std::string text = fmt::format("{:.3g}", std::abs(value) < 1e-12 ? 0.0 : value);
    const float width = ImGui::CalcTextSize(text.c_str()).x;
    to.AddText({f.low.x - width - 5, y - line / 2}, faint, text.c_str());
  }
  double x_step =
      tick_step(f.x.high - f.x.low, std::max(2, static_cast<int>((f.high.x - f.low.x) / 70)));
  // Layers, experts, groups and positions are counted in whole numbers.
  if (figure.whole_x) x_step = std::max(x_step, 1.0);
  for (double t = std::ceil(f.x.low / x_step) * x_step; t <= f.x.high; t += x_step) {
    const std::string text = fmt::format("{:.4g}", std::abs(t) < x_step / 1e6 ? 0.0 : t);
    const float width = ImGui::CalcTextSize(text.c_str()).x;
    to.AddLine({f.at_x(t), f.high.y}, {f.at_x(t), f.high.y + 4}, faint);
    to.AddText({f.at_x(t) - width / 2, f.high.y + 5}, faint, text.c_str());
  }
  to.AddText({f.low.x, f.high.y + 6 + line}, faint, figure.x_label.c_str());
  to.AddText({f.low.x + 4, f.low.y + 2}, faint, figure.y_label.c_str());
}

void draw_series(ImDrawList& to, const Series& s, const Frame& f, Packed color) {
  ImVec2 before{};
  bool joined = false;
  for (std::size_t i = 0; i < std::min(s.x.size(), s.y.size()); ++i) {
    if (!f.shows(s.y[i])) {
      joined = false;
      continue;
    }
    const ImVec2 at{f.at_x(s.x[i]), std::clamp(f.at_y(s.y[i]), f.low.y, f.high.y)};
    if (s.mark == Mark::bars) {
      const float left = f.at_x(s.x[i] - s.width / 2);
      const float right = std::max(f.at_x(s.x[i] + s.width / 2) - 1, left + 1);
      to.AddRectFilled({left, at.y}, {right, f.high.y}, (color & 0x00FFFFFFU) | 0xB0000000U);
    } else if (s.mark == Mark::points) {
      to.AddCircleFilled(at, s.x.size() > 200 ? 1.5F : 3.5F, color);
    } else {
      if (joined) to.AddLine(before, at, color, 1.5F);
      if (s.x.size() < 100) to.AddCircleFilled(at, 2.5F, color);
    }
    before = at;
    joined = true;
  }
}

void draw_legend(ImDrawList& to, const Figure& figure, const Frame& f, bool dark) {
  const float line = ImGui::GetTextLineHeightWithSpacing();
  float width = 0;
  for (const Series& s : figure.series)
    width = std::max(width, ImGui::CalcTextSize(s.name.c_str()).x);
  float y = f.low.y + 4;
  for (std::size_t i = 0; i < figure.series.size(); ++i) {
    if (figure.series[i].y.empty()) continue;
    const float x = f.high.x - width - 8;
    to.AddRectFilled({x - 18, y + 4}, {x - 6, y + line - 6}, series_color(i, dark));
    to.AddText({x, y}, text_color(dark), figure.series[i].name.c_str());
    y += line;
  }
}

/// The text for the pointer: the nearest x of the first series and all values there.
std::string values_at(const Figure& figure, double x) {
  std::string out;
  for (const Series& s : figure.series) {
    if (s.x.empty()) continue;
    const auto at = std::ranges::min_element(s.x, {}, [x](double v) { return std::abs(v - x); });
    const auto i = static_cast<std::size_t>(at - s.x.begin());
    if (i >= s.y.size()) continue;
    if (out.empty()) out = fmt::format("{} {:.6g}", figure.x_label, *at);
    out += fmt::format("\n{}: {:.6g}", s.name, s.y[i]);
  }
  return out;
}

}  // namespace

double draw_figure(Ui& ui, const Figure& figure, const std::string& label, float height,
                   double marked) {
  ImGui::TextUnformatted(figure.title.c_str());
  if (!figure.note.empty()) {
    ImGui::SameLine();
    draw_line(ui, {figure.note, Tone::faint, {}}, label + "/note");
  }
  if (figure.empty()) return kNone;
  const float line = ImGui::GetTextLineHeightWithSpacing();
  const ImVec2 corner = ImGui::GetCursorScreenPos();
  const float width = std::max(ImGui::GetContentRegionAvail().x, 50.F);
  height = std::max(height - line, 60.F);
  ImGui::InvisibleButton(label.c_str(), {width, height});
  record(ui, label);
  Frame f;
  f.low = {corner.x + 70, corner.y + 4};
  f.high = {corner.x + width - 12, corner.y + height - 2.5F * line};
  set_ranges(figure, f);
  ImDrawList& to = *ImGui::GetWindowDrawList();
  draw_axes(to, figure, f, ui.app.dark);
  for (std::size_t i = 0; i < figure.series.size(); ++i) {
    draw_series(to, figure.series[i], f, series_color(i, ui.app.dark));
  }
  if (std::isfinite(marked) && marked >= f.x.low && marked <= f.x.high) {
    to.AddLine({f.at_x(marked), f.low.y}, {f.at_x(marked), f.high.y}, text_color(ui.app.dark));
  }
  draw_legend(to, figure, f, ui.app.dark);
  if (!ImGui::IsItemHovered()) return kNone;
  const double part = (ImGui::GetIO().MousePos.x - f.low.x) / (f.high.x - f.low.x);
  const double x = f.x.low + std::clamp(part, 0.0, 1.0) * (f.x.high - f.x.low);
  const std::string values = values_at(figure, x);
  ImGui::BeginTooltip();
  ImGui::TextUnformatted(values.c_str());
  ImGui::EndTooltip();
  ui.app.hovered =
      values.substr(values.find('\n') == std::string::npos ? 0 : values.find('\n') + 1);
  return ImGui::IsMouseClicked(0) ? x : kNone;
}

void draw_histogram(Ui& ui) {
  if (ui.app.session() == nullptr || ui.app.selection().tensor < 0) {
    draw_line(ui, {"select a tensor", Tone::faint, {}}, "histogram/none");
    return;
  }
  draw_matrix_tools(ui, true);
  (void)draw_figure(ui, histogram_figure(ui.app, false), "histogram/chart",
                    ImGui::GetContentRegionAvail().y, kNone);
}

void draw_layers(Ui& ui) {
  const double clicked =
      draw_figure(ui, layers_figure(ui.app), "layers/chart", ImGui::GetContentRegionAvail().y,
                  ui.app.selection().layer >= 0 ? double{1} * ui.app.selection().layer : kNone);
  if (std::isfinite(clicked)) ui.app.select_layer(static_cast<int>(std::lround(clicked)));
}

void draw_routing(Ui& ui) {
  const float half = ImGui::GetContentRegionAvail().y / 2 - 4;
  const double clicked =
      draw_figure(ui, routing_figure(ui.app), "routing/overlap", half,
                  ui.app.selection().layer >= 0 ? double{1} * ui.app.selection().layer : kNone);
  if (std::isfinite(clicked)) ui.app.select_layer(static_cast<int>(std::lround(clicked)));
  const double expert =
      draw_figure(ui, routed_figure(ui.app), "routing/tokens", half,
                  ui.app.selection().expert >= 0 ? double{1} * ui.app.selection().expert : kNone);
  if (std::isfinite(expert)) {
    ui.app.select_expert(std::max(ui.app.selection().layer, 0),
                         static_cast<int>(std::lround(expert)));
  }
}

}  // namespace ckpt::gui
