#include <fmt/format.h>
#include <imgui/imgui.h>

#include <algorithm>
#include <cmath>

#include "gui/state/actions.h"
#include "gui/views/style.h"
#include "gui/views/views.h"
#include "validator/base/text.h"

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

void draw_selected(const Ui& ui, const Place& at) {
  const Selection& s = ui.app.selection();
  if (s.layer < 0 || s.expert < 0) return;
  const float x = at.corner.x + at.wide * static_cast<float>(s.expert);
  const float y = at.corner.y + at.high * static_cast<float>(s.layer);
  ImGui::GetWindowDrawList()->AddRect({x - 2, y - 2}, {x + at.wide + 1, y + at.high + 1},
                                      text_color(ui.app.dark), 0, 0, 2);
}

void draw_axes(const Ui& ui, const Grid& g, const Place& at) {
  ImDrawList& to = *ImGui::GetWindowDrawList();
  const Packed faint = faint_color(ui.app.dark);
  const float line = ImGui::GetTextLineHeight();
  const int every_row = std::max(1, static_cast<int>(std::ceil(line / at.high)));
  for (int r = 0; r < g.rows; r += every_row) {
    const std::string text = fmt::format("{}", r);
    to.AddText({at.corner.x - ImGui::CalcTextSize(text.c_str()).x - 6,
                at.corner.y + at.high * (static_cast<float>(r) + 0.5F) - line / 2},
               faint, text.c_str());
  }
  const int every_column = std::max(1, static_cast<int>(std::ceil(4 * line / at.wide)));
  for (int c = 0; c < g.columns; c += every_column) {
    const std::string text = fmt::format("{}", c);
    to.AddText({at.corner.x + at.wide * static_cast<float>(c),
                at.corner.y + at.high * static_cast<float>(g.rows) + 3},
               faint, text.c_str());
  }
}

void answer(Ui& ui, const Grid& g, const Place& at) {
  if (!ImGui::IsItemHovered()) return;
  const ImVec2 mouse = ImGui::GetIO().MousePos;
  const int layer = static_cast<int>((mouse.y - at.corner.y) / at.high);
  const int expert = static_cast<int>((mouse.x - at.corner.x) / at.wide);
  if (mouse.y < at.corner.y || mouse.x < at.corner.x || layer >= g.rows || expert >= g.columns)
    return;
  const double v = g.at(layer, expert);
  ui.app.hovered = fmt::format("layer {} expert {}: {}", layer, expert,
                               std::isfinite(v) ? fmt::format("{:.5g}", v) : "nothing known");
  ImGui::BeginTooltip();
  ImGui::TextUnformatted(ui.app.hovered.c_str());
  ImGui::EndTooltip();
  if (ImGui::IsMouseClicked(0)) ui.app.select_expert(layer, expert);
}

}  // namespace

void draw_experts(Ui& ui) {
  for (std::size_t i = 0; i < kExpertValues; ++i) {
    const auto value = static_cast<ExpertValue>(i);
    const std::string name(expert_value_name(value));
    if (ImGui::RadioButton(name.c_str(), ui.app.expert_value == value)) ui.app.expert_value = value;
    record(ui, "experts/value/" + name);
    ImGui::SameLine();
  }
  if (ImGui::SmallButton("worst (W)")) (void)act(ui.app, "expert.worst");
  record(ui, "experts/worst");
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
  draw_selected(ui, at);
  draw_axes(ui, g, at);
  answer(ui, g, at);
}

namespace {

/// The tokens before a position, each on a ground that is the redder the larger its KL is.
void draw_tokens(Ui& ui, const results::WorstPosition& p) {
  ImDrawList& to = *ImGui::GetWindowDrawList();
  const ImVec2 start = ImGui::GetCursorScreenPos();
  const float right = start.x + ImGui::GetContentRegionAvail().x;
  const float line = ImGui::GetTextLineHeightWithSpacing();
  ImVec2 at = start;
  const Coloring coloring{
      .is_signed = false, .low = 0, .high = static_cast<float>(std::max(p.kl, 1e-9))};
  for (std::size_t i = 0; i < p.context.size(); ++i) {
    const results::TokenKl& t = p.context[i];
    const std::string text = shown_again(t.text);
    const ImVec2 size = ImGui::CalcTextSize(text.c_str());
    if (at.x + size.x + 6 > right) at = {start.x, at.y + line};
    const Rgba ground = color_of(static_cast<float>(t.kl), coloring);
    const ImVec2 end{at.x + size.x + 4, at.y + line - 2};
    to.AddRectFilled(at, end, packed(ground), 3);
    const bool bright = 3 * ground.r + 6 * ground.g + ground.b > 1280;
    to.AddText({at.x + 2, at.y}, bright ? 0xFF000000U : 0xFFFFFFFFU, text.c_str());
    if (i + 1 == p.context.size()) to.AddRect(at, end, text_color(ui.app.dark), 3, 0, 2);
    ui.registry.add(fmt::format("text/token/{}", i), {at.x, at.y, end.x, end.y});
    if (ImGui::IsMouseHoveringRect(at, end)) {
      ui.app.hovered = fmt::format("{}  KL {:.4g} nats", text, t.kl);
      ImGui::SetTooltip("%s", ui.app.hovered.c_str());
    }
    at.x = end.x + 2;
  }
  ImGui::Dummy({1, at.y - start.y + 2 * line});
}

}  // namespace

void draw_text(Ui& ui) {
  const results::Metrics* m = ui.app.session() == nullptr ? nullptr : ui.app.session()->metrics();
  const int token = ui.app.selection().token;
  const float height = ImGui::GetContentRegionAvail().y;
  (void)draw_figure(ui, text_figure(ui.app), "text/chart", height * 0.45F, std::nan(""));
  if (m == nullptr || !m->over_text || m->over_text->positions.empty()) return;
  if (ImGui::SmallButton("worse (,)")) (void)act(ui.app, "token.previous");
  record(ui, "text/previous");
  ImGui::SameLine();
  if (ImGui::SmallButton("next worst (.)")) (void)act(ui.app, "token.next");
  record(ui, "text/next");
  const auto i = static_cast<std::size_t>(std::max(token, 0));
  const results::WorstPosition& p = m->over_text->positions[i];
  const std::string where = fmt::format("number {} by KL: {:.4g} nats at sequence {}, position {}",
                                        i + 1, p.kl, p.sequence, p.position);
  ImGui::SameLine();
  ImGui::TextUnformatted(where.c_str());
  ImGui::BeginChild("tokens");
  draw_tokens(ui, p);
  const std::string says =
      fmt::format("reference: {}  ({:.2f} %)\ncandidate: {}  ({:.2f} %)\nthe text goes on with: {}",
                  shown_again(p.reference_token), 100 * p.reference_p,
                  shown_again(p.candidate_token), 100 * p.candidate_p, shown_again(p.next_token));
  ImGui::TextUnformatted(says.c_str());
  ImGui::EndChild();
}

}  // namespace ckpt::gui
