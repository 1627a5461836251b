#include <fmt/format.h>
#include <imgui/imgui.h>
#include <imgui/imgui_stdlib.h>

#include <algorithm>

#include "gui/state/actions.h"
#include "gui/state/expert_grid.h"
#include "gui/views/style.h"
#include "gui/views/views.h"
#include "validator/base/text.h"

namespace ckpt::gui {
namespace {

/// Draws `n` lines of one height, only those that are seen; scrolls to `selected` when asked.
template <class Draw>
void clipped(Ui& ui, std::size_t n, std::int64_t selected, Draw draw) {
  const float line = ImGui::GetTextLineHeightWithSpacing();
  if (ui.app.scroll_to_selection) {
    if (selected >= 0) {
      const float y = static_cast<float>(selected) * line;
      const float height = ImGui::GetWindowHeight();
      if (y < ImGui::GetScrollY() || y + 2 * line > ImGui::GetScrollY() + height) {
        ImGui::SetScrollY(std::max(0.F, y - height / 2));
      }
    }
    ui.app.scroll_to_selection = false;
  }
  ImGuiListClipper clipper;
  clipper.Begin(static_cast<int>(n), line);
  while (clipper.Step()) {
    for (int i = clipper.DisplayStart; i < clipper.DisplayEnd; ++i) {
      draw(static_cast<std::size_t>(i));
    }
  }
}

void draw_filter(Ui& ui) {
  if (ui.app.focus_filter) ImGui::SetKeyboardFocusHere();
  ui.app.focus_filter = false;
  ImGui::SetNextItemWidth(-1);
  if (ImGui::InputTextWithHint("##filter", "filter: l0e3down  dtype:bf16  layer:3  /re/  bytes>1M",
                               &ui.filter)) {
    const auto set = ui.app.list.set_filter(ui.filter);
    ui.filter_error = set ? "" : set.error().message;
  }
  record(ui, "list/filter");
  if (!ui.filter_error.empty()) {
    draw_line(ui, {ui.filter_error, Tone::bad, {}}, "list/filter/error");
  }
}

void draw_tensor(Ui& ui, const ListRow& row) {
  const Session& s = *ui.app.session();
  const TensorRow& t = s.rows()[static_cast<std::size_t>(row.tensor)];
  std::string_view name = t.name;
  if (ui.app.list.is_tree()) {
    if (const auto dot = name.rfind('.'); dot != std::string_view::npos)
      name.remove_prefix(dot + 1);
  }
  const auto& tensor = s.candidate()->checkpoint.tensors()[static_cast<std::size_t>(row.tensor)];
  std::string text = fmt::format("{:{}}{}  {} [{}]", "", 2 * row.depth, shown(name, 120),
                                 dtype_name(t.dtype), fmt::join(tensor.shape, ", "));
  if (t.bits > 0) text += fmt::format("  {:g} bits", t.bits);
  text += "  " + bytes_text(t.bytes);
  if (t.error >= 0) text += fmt::format("  {:.2f} %", 100 * t.error);
  for (const auto& code : s.codes_of(row.tensor)) text += "  " + code;
  const std::string label = "list/tensors/" + shown(t.name, 1000);
  if (pick(ui, label, text, row.tensor == ui.app.selection().tensor)) {
    ui.app.select_tensor(row.tensor);
  }
  // The list is narrow: all of the line, with the whole name.
  if (const Box* box = ui.registry.find(label);
      box != nullptr && ImGui::IsWindowHovered() &&
      ImGui::IsMouseHoveringRect({box->left, box->top}, {box->right, box->bottom})) {
    const auto columns = text.find("  ", static_cast<std::size_t>(2 * row.depth));
    const std::string tip = shown(t.name, 1000) + text.substr(std::min(columns, text.size()));
    ImGui::BeginTooltip();
    ImGui::TextUnformatted(tip.c_str());
    ImGui::EndTooltip();
    ui.app.hovered = tip;
  }
}

void draw_branch(Ui& ui, const ListRow& row) {
  const Branch& b = ui.app.list.branches()[static_cast<std::size_t>(row.branch)];
  std::string_view name = b.path;
  if (const auto dot = name.rfind('.'); dot != std::string_view::npos) name.remove_prefix(dot + 1);
  const std::string text =
      fmt::format("{:{}}{} {}  ({} tensors, {})", "", 2 * row.depth, b.open ? "v" : ">",
                  shown(name, 80), with_commas(b.tensors), bytes_text(b.bytes));
  const std::string path(b.path);
  const bool open = b.open;
  if (pick(ui, "list/branch/" + shown(path, 1000), text, false)) ui.app.list.set_open(path, !open);
}

}  // namespace

void draw_tensor_list(Ui& ui) {
  draw_filter(ui);
  App& app = ui.app;
  if (app.session() == nullptr) return;
  const std::string count =
      fmt::format("{} of {} tensors{}", with_commas(app.list.matches()),
                  with_commas(app.session()->rows().size()), app.list.is_tree() ? ", tree" : "");
  ImGui::TextUnformatted(count.c_str());
  ImGui::BeginChild("rows");
  const std::int64_t selected =
      app.scroll_to_selection ? app.list.line_of(app.selection().tensor) : -1;
  clipped(ui, app.list.rows().size(), selected, [&](std::size_t i) {
    // A click may have rebuilt the list while it is drawn.
    if (i >= app.list.rows().size()) return;
    const ListRow row = app.list.rows()[i];
    if (row.tensor < 0)
      draw_branch(ui, row);
    else
      draw_tensor(ui, row);
  });
  ImGui::EndChild();
}

void draw_finding_list(Ui& ui) {
  const Session* s = ui.app.session();
  if (s == nullptr || s->results() == nullptr) return;
  const auto& findings = s->results()->findings;
  ImGui::BeginChild("rows");
  clipped(ui, findings.size(), ui.app.selection().finding, [&](std::size_t i) {
    const results::Finding& f = findings[i];
    const Tone tone = f.severity == results::Severity::error     ? Tone::bad
                      : f.severity == results::Severity::warning ? Tone::warning
                                                                 : Tone::plain;
    ImGui::PushStyleColor(ImGuiCol_Text, color_of_tone(tone, ui.app.dark, false));
    const std::string text = fmt::format("{} {}: {}", results::severity_name(f.severity), f.code,
                                         shown_again(f.message));
    const bool clicked = pick(ui, fmt::format("list/findings/{}", i), text,
                              ui.app.selection().finding == static_cast<int>(i));
    ImGui::PopStyleColor();
    if (clicked) ui.app.select_finding(static_cast<int>(i));
  });
  ImGui::EndChild();
}

void draw_layer_list(Ui& ui) {
  const Session* s = ui.app.session();
  if (s == nullptr) return;
  ImGui::BeginChild("rows");
  const auto n = static_cast<std::size_t>(s->layers());
  clipped(ui, n, ui.app.selection().layer, [&](std::size_t i) {
    std::string text = fmt::format("layer {}", i);
    if (s->metrics() != nullptr) {
      for (const auto& l : s->metrics()->layers) {
        if (l.layer != static_cast<int>(i)) continue;
        text += fmt::format("  local {:.3g}  propagated {:.3g}", l.local_error, l.propagated_error);
      }
    }
    if (pick(ui, fmt::format("list/layers/{}", i), text,
             ui.app.selection().layer == static_cast<int>(i))) {
      ui.app.select_layer(static_cast<int>(i));
    }
  });
  ImGui::EndChild();
}

void draw_expert_list(Ui& ui) {
  const auto order = expert_order(ui.app);
  const std::string_view by = expert_value_name(ui.app.expert_value);
  if (pick(ui, "list/experts/sort",
           fmt::format("{} by {} (S sorts, E changes)",
                       ui.app.sort_experts ? "worst first" : "in order", by),
           false)) {
    (void)act(ui.app, "expert.sort");
  }
  ImGui::BeginChild("rows");
  // A copy: a click selects, and the history moves.
  const Selection now = ui.app.selection();
  const auto at = std::ranges::find_if(
      order, [&](const ExpertPlace& p) { return p.layer == now.layer && p.expert == now.expert; });
  clipped(ui, order.size(), at == order.end() ? -1 : at - order.begin(), [&](std::size_t i) {
    const ExpertPlace& p = order[i];
    const std::string text = fmt::format("layer {} expert {}  {:.4g}", p.layer, p.expert, p.value);
    if (pick(ui, fmt::format("list/experts/{}/{}", p.layer, p.expert), text,
             p.layer == now.layer && p.expert == now.expert)) {
      ui.app.select_expert(p.layer, p.expert);
    }
  });
  ImGui::EndChild();
}

void draw_token_list(Ui& ui) {
  const results::Metrics* m = ui.app.session() == nullptr ? nullptr : ui.app.session()->metrics();
  if (m == nullptr || !m->over_text) {
    draw_line(ui, {"no results of `ckpt-check kl` are open", Tone::faint, {}}, "list/tokens/none");
    return;
  }
  const auto& positions = m->over_text->positions;
  ImGui::BeginChild("rows");
  clipped(ui, positions.size(), ui.app.selection().token, [&](std::size_t i) {
    const results::WorstPosition& p = positions[i];
    const std::string text = fmt::format("{:.3g}  {} -> {}", p.kl, shown_again(p.reference_token),
                                         shown_again(p.candidate_token));
    if (pick(ui, fmt::format("list/tokens/{}", i), text,
             ui.app.selection().token == static_cast<int>(i))) {
      ui.app.select_token(static_cast<int>(i));
    }
  });
  ImGui::EndChild();
}

}  // namespace ckpt::gui
