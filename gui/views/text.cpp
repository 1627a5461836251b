#include <fmt/format.h>
#include <imgui/imgui.h>

#include <algorithm>
#include <cmath>

#include "gui/state/actions.h"
#include "gui/state/facts.h"
#include "gui/views/style.h"
#include "gui/views/views.h"
#include "validator/base/text.h"

namespace ckpt::gui {
namespace {

/// The likeliest tokens of both models, side by side; nothing where results lack them.
void draw_tops(Ui& ui, const results::WorstPosition& p, const char* id) {
  constexpr std::size_t kMost = 5;
  const std::size_t n = std::min(kMost, std::max(p.reference_top.size(), p.candidate_top.size()));
  if (n == 0 || !ImGui::BeginTable(id, 2, ImGuiTableFlags_SizingFixedFit)) return;
  ImGui::TableSetupColumn("the reference's likeliest");
  ImGui::TableSetupColumn("the candidate's likeliest");
  ImGui::TableHeadersRow();
  for (std::size_t i = 0; i < n; ++i) {
    ImGui::TableNextRow();
    for (const auto* top : {&p.reference_top, &p.candidate_top}) {
      ImGui::TableNextColumn();
      const std::string text = i < top->size() ? chance_text((*top)[i]) : "";
      ImGui::TextUnformatted(text.c_str());
      record(ui, fmt::format("text/{}/{}/{}", id,
                             top == &p.reference_top ? "reference" : "candidate", i));
    }
  }
  ImGui::EndTable();
}

/// What is known of the token under the pointer: its KL, and both distributions where it is one of
/// the worst positions.
void draw_token_tip(Ui& ui, const results::OverText& all, const results::WorstPosition& p,
                    std::size_t i) {
  const std::string& text = p.context[i].text;
  ui.app.hovered = fmt::format("{}  KL {:.4g} nats", shown_again(text), p.context[i].kl);
  ImGui::BeginTooltip();
  ImGui::TextUnformatted(ui.app.hovered.c_str());
  // The last token of the context is the position's own.
  const std::uint64_t back = p.context.size() - 1 - i;
  if (back <= p.position) {
    if (const auto* worst = worst_at(all, p.sequence, p.position - back)) {
      draw_tops(ui, *worst, "tip");
    }
  }
  ImGui::EndTooltip();
}

/// The tokens before a position, each on a ground that is the redder the larger its KL is.
void draw_tokens(Ui& ui, const results::OverText& all, const results::WorstPosition& p) {
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
    if (ImGui::IsMouseHoveringRect(at, end)) draw_token_tip(ui, all, p, i);
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
  draw_tokens(ui, *m->over_text, p);
  std::string says = "the text goes on with: " + shown_again(p.next_token);
  if (p.reference_top.empty() && p.candidate_top.empty()) {
    says += fmt::format("\nreference: {}  ({:.2f} %)\ncandidate: {}  ({:.2f} %)",
                        shown_again(p.reference_token), 100 * p.reference_p,
                        shown_again(p.candidate_token), 100 * p.candidate_p);
  }
  ImGui::TextUnformatted(says.c_str());
  draw_tops(ui, p, "top");
  ImGui::EndChild();
}

}  // namespace ckpt::gui
