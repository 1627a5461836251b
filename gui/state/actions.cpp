#include "gui/state/actions.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "gui/state/expert_grid.h"
#include "gui/state/facts.h"
#include "gui/state/remembered.h"
#include "gui/state/step.h"
#include "validator/base/text.h"

namespace ckpt::gui {
namespace {

constexpr float kWidthStep = 30;

constexpr auto kActions = std::to_array<Action>({
    {"app.palette", "Command palette", "Ctrl+P Ctrl+Shift+P", open_palette},
    {"app.open", "Open another checkpoint", "Ctrl+O", open_opener},
    {"app.recent", "Open a recent one", "Ctrl+R", open_recent},
    {"app.settings", "Settings", "Ctrl+,", [](App& a) { a.overlays.settings = !a.overlays.settings; }},
    {"app.help", "Help: keys and filter language", "? F1",
     [](App& a) { a.overlays.help = !a.overlays.help; }},
    {"app.theme", "Switch between dark and light", "", [](App& a) { a.dark = !a.dark; }},
    {"app.larger", "Larger text", "Ctrl++", [](App& a) { a.scale = std::min(a.scale * 1.1F, 4.F); }},
    {"app.smaller", "Smaller text", "Ctrl+-",
     [](App& a) { a.scale = std::max(a.scale / 1.1F, 0.5F); }},
    {"app.list_wider", "Wider list", "", [](App& a) { a.list_width += kWidthStep; }},
    {"app.list_narrower", "Narrower list", "", [](App& a) { a.list_width -= kWidthStep; }},
    {"app.inspector_wider", "Wider inspector", "", [](App& a) { a.inspector_width += kWidthStep; }},
    {"app.inspector_narrower", "Narrower inspector", "",
     [](App& a) { a.inspector_width -= kWidthStep; }},
    {"app.cancel", "Stop all work", "", [](App& a) { a.cancel(); }},
    {"app.dismiss", "Close what is open on top", "Esc", close_overlays},
    {"app.quit", "Quit", "Ctrl+Q", [](App& a) { a.quit = true; }},
    {"nav.back", "Back", "Alt+Left", [](App& a) { a.back(); }},
    {"nav.forward", "Forward", "Alt+Right", [](App& a) { a.forward(); }},
    {"list.filter", "Filter the list", "Ctrl+F /", focus_filter},
    {"list.tab.1", "List of tensors", "Ctrl+1", show_tab<0>},
    {"list.tab.2", "List of findings", "Ctrl+2", show_tab<1>},
    {"list.tab.3", "List of layers", "Ctrl+3", show_tab<2>},
    {"list.tab.4", "List of experts", "Ctrl+4", show_tab<3>},
    {"list.tab.5", "List of tokens", "Ctrl+5", show_tab<4>},
    {"list.next", "Next in the list", "Down J", [](App& a) { step_list(a, 1); }},
    {"list.previous", "Previous in the list", "Up K", [](App& a) { step_list(a, -1); }},
    {"list.page.down", "A page down", "PgDn", [](App& a) { step_list(a, 20); }},
    {"list.page.up", "A page up", "PgUp", [](App& a) { step_list(a, -20); }},
    {"list.first", "First of the list", "Home", [](App& a) { step_list(a, -kToTheEnd); }},
    {"list.last", "Last of the list", "End", [](App& a) { step_list(a, kToTheEnd); }},
    {"list.collapse", "Close the branch", "Left", [](App& a) { fold_selected(a, false); }},
    {"list.expand", "Open the branch", "Right", [](App& a) { fold_selected(a, true); }},
    {"list.open", "Show the selection", "Enter", show_selection},
    {"list.tree", "Tree or flat list", "T", [](App& a) { a.list.set_tree(!a.list.wants_tree()); }},
    {"list.sort.name", "Sort tensors by name", "", [](App& a) { a.list.set_sort(SortBy::name, false); }},
    {"list.sort.bytes", "Sort tensors by bytes", "",
     [](App& a) { a.list.set_sort(SortBy::bytes, true); }},
    {"list.sort.bits", "Sort tensors by bits", "", [](App& a) { a.list.set_sort(SortBy::bits, true); }},
    {"list.sort.error", "Sort tensors by error, worst first", "",
     [](App& a) { a.list.set_sort(SortBy::error, true); }},
    {"canvas.tab.1", "Overview", "1", show_canvas<0>},
    {"canvas.tab.2", "Heat map", "2", show_canvas<1>},
    {"canvas.tab.3", "Histogram", "3", show_canvas<2>},
    {"canvas.tab.4", "Compare", "4", show_canvas<3>},
    {"canvas.tab.5", "Experts", "5", show_canvas<4>},
    {"canvas.tab.6", "KL over text", "6", show_canvas<5>},
    {"canvas.tab.7", "Routing", "7", show_canvas<6>},
    {"canvas.tab.8", "Layers", "8", show_canvas<7>},
    {"layer.previous", "The same in the layer before", "[", [](App& a) { step_layer(a, -1); }},
    {"layer.next", "The same in the next layer", "]", [](App& a) { step_layer(a, 1); }},
    {"expert.previous", "The same in the expert before", "{", [](App& a) { step_expert(a, -1); }},
    {"expert.next", "The same in the next expert", "}", [](App& a) { step_expert(a, 1); }},
    {"expert.worst", "The worst expert", "W", show_worst_expert},
    {"expert.value", "Next quantity of the expert grid", "E",
     [](App& a) {
       a.expert_value = static_cast<ExpertValue>((static_cast<std::size_t>(a.expert_value) + 1) %
                                                 kExpertValues);
     }},
    {"expert.order", "Order of the grid's experts: number, selected layer, mean", "O",
     next_expert_order},
    {"layer.order", "Order of the grid's layers: number, selected expert, mean", "Shift+O",
     next_layer_order},
    {"expert.order_value", "What the grid is ordered by", "B", next_order_value},
    {"expert.sort", "Sort the list of experts by value", "S", [](App& a) { a.sort_experts = !a.sort_experts; }},
    {"finding.next", "Next finding", "F8", [](App& a) { step_finding(a, 1); }},
    {"finding.previous", "Previous finding", "Shift+F8", [](App& a) { step_finding(a, -1); }},
    {"token.next", "Next token, the worst first", ".", [](App& a) { step_token(a, 1); }},
    {"token.previous", "Token before, worse", ",", [](App& a) { step_token(a, -1); }},
    {"view.reference", "Reference in place (hold), or back", "R",
     [](App& a) { a.look.hold_reference = !a.look.hold_reference; }},
    {"view.difference", "Difference to the reference, or back", "D", toggle_difference},
    {"view.source", "Next source of the heat map", "V", next_source},
    {"view.source.stored", "Stored words", "", show_source<Source::stored>},
    {"view.source.decoded", "Decoded values", "", show_source<Source::decoded>},
    {"view.source.reference", "Values of the reference", "", show_source<Source::reference>},
    {"view.source.difference", "Difference to the reference", "", show_source<Source::difference>},
    {"view.source.relative", "Relative difference", "", show_source<Source::relative>},
    {"view.source.scale", "Group scales", "", show_source<Source::scale>},
    {"view.scale", "Linear, log or symlog", "L",
     [](App& a) { a.look.scale = static_cast<Scale>((static_cast<int>(a.look.scale) + 1) % 3); }},
    {"view.autorange", "Range from the values", "A", [](App& a) { a.look.high = 0; }},
    {"view.range_wider", "Wider range of the colours", "X", [](App& a) { scale_range(a, 1.25F); }},
    {"view.range_narrower", "Narrower range of the colours", "Z",
     [](App& a) { scale_range(a, 0.8F); }},
    {"view.lock", "Keep the range while stepping", "Shift+A", lock_range},
    {"view.colormap", "Next colour map", "M",
     [](App& a) { a.look.map = static_cast<ColorMap>((static_cast<int>(a.look.map) + 1) % 4); }},
    {"view.reduce", "What a pixel shows of its cells", "P",
     [](App& a) { a.look.reduce = static_cast<Reduce>((static_cast<int>(a.look.reduce) + 1) % 4); }},
    {"view.groups", "Borders of groups", "G", [](App& a) { a.look.groups = !a.look.groups; }},
    {"view.zoom_in", "Zoom in", "+", [](App& a) { zoom_view(a, 1.5); }},
    {"view.zoom_out", "Zoom out", "-", [](App& a) { zoom_view(a, 1 / 1.5); }},
    {"view.actual", "A pixel for each cell", "0", show_actual},
    {"view.fit", "All of it", "F", [](App& a) { a.look.fitted = true; }},
    {"cell.next_special", "Next NaN, infinity or outlier", "N", [](App& a) { step_special(a, 1); }},
    {"cell.previous_special", "NaN, infinity or outlier before", "Shift+N",
     [](App& a) { step_special(a, -1); }},
    {"cell.left", "Cell to the left", "Shift+Left", [](App& a) { step_cell(a, 0, -1); }},
    {"cell.right", "Cell to the right", "Shift+Right", [](App& a) { step_cell(a, 0, 1); }},
    {"cell.up", "Cell above", "Shift+Up", [](App& a) { step_cell(a, -1, 0); }},
    {"cell.down", "Cell below", "Shift+Down", [](App& a) { step_cell(a, 1, 0); }},
    {"cell.goto", "Go to a cell: row, column", "Ctrl+G", open_goto},
    {"edit.copy", "Copy the selection", "Ctrl+C", [](App& a) { a.copied = selection_text(a); }},
    {"edit.copy_facts", "Copy all that is said of the selection", "Ctrl+Shift+I",
     [](App& a) { a.copied = facts_text(a); }},
    {"edit.copy_command", "Copy a command that shows this", "Ctrl+Shift+C",
     [](App& a) { a.copied = selection_command(a); }},
    {"edit.export", "Save the canvas: PNG, CSV, NPY or SVG", "Ctrl+E", open_saver},
});

std::string quoted(const std::string& text) {
  std::string out = "'";
  for (const char c : text) {
    if (c == '\'')
      out += "'\\''";
    else
      out += c;
  }
  return out + "'";
}

/// The layer with its local and propagated error and the overlap of its routers, where known.
std::string layer_text(const App& app, int layer) {
  std::string out = fmt::format("layer {}", layer);
  const results::Metrics* m = app.session()->metrics();
  if (m == nullptr) return out;
  const auto at = std::ranges::find(m->layers, layer, &results::LayerMetrics::layer);
  if (at == m->layers.end()) return out;
  return out +
         fmt::format("\t{}\t{}\t{}", at->local_error, at->propagated_error, at->router_overlap);
}

/// A row for the position and one for each of the likeliest tokens.
std::string token_text(const results::WorstPosition& p) {
  std::string out = fmt::format("{}\t{}\t{}", p.sequence, p.position, p.kl);
  const auto add = [&](std::string_view side, const std::vector<results::TokenChance>& top) {
    for (const results::TokenChance& t : top) {
      out += fmt::format("\n{}\t{}\t{}\t{}", side, t.id, shown_again(t.token), t.log_p);
    }
  };
  add("reference", p.reference_top);
  add("candidate", p.candidate_top);
  return out;
}

}  // namespace

std::span<const Action> actions() {
  return kActions;
}

const Action* find_action(std::string_view id) {
  const auto at = std::ranges::find(kActions, id, &Action::id);
  return at == kActions.end() ? nullptr : &*at;
}

const Action* action_of_key(std::string_view chord) {
  const auto has = [chord](std::string_view keys) {
    while (!keys.empty()) {
      const std::size_t end = std::min(keys.find(' '), keys.size());
      if (keys.substr(0, end) == chord) return true;
      keys.remove_prefix(std::min(end + 1, keys.size()));
    }
    return false;
  };
  const auto at = std::ranges::find_if(kActions, [&](const Action& a) { return has(a.keys); });
  return at == kActions.end() || chord.empty() ? nullptr : &*at;
}

bool act(App& app, std::string_view id) {
  const Action* action = find_action(id);
  if (action != nullptr) action->run(app);
  return action != nullptr;
}

std::vector<Choice> palette_choices(const App& app, std::size_t most) {
  const std::string& typed = app.overlays.text;
  std::vector<std::pair<int, Choice>> found;
  const auto add = [&](std::string_view text, const std::string& label, std::string target) {
    const int score = typed.empty() ? 1 : fuzzy_score(typed, text);
    if (score > 0) found.emplace_back(score, Choice{label, std::move(target)});
  };
  for (const Action& a : actions()) {
    add(a.title, fmt::format("{}  {}", a.title, a.keys), fmt::format("action {}", a.id));
  }
  for (std::size_t i = 0; i < app.recent.size(); ++i) {
    const std::string label = "recent: " + recent_text(app.recent[i]);
    add(label, label, fmt::format("recent {}", i));
  }
  const Session* s = app.session();
  if (s != nullptr && s->results() != nullptr) {
    for (const auto& f : s->results()->findings) {
      const std::string label = fmt::format("{} {}: {}", f.code, f.name, shown_again(f.message));
      add(label, shown(label, 160), "select " + f.fingerprint());
    }
  }
  if (s != nullptr && !typed.empty()) {
    for (const TensorRow& row : s->rows()) {
      const int score = fuzzy_score(typed, row.name);
      if (score > 0) found.emplace_back(score, Choice{std::string(row.name), {}});
    }
  }
  const std::size_t n = std::min(most, found.size());
  std::ranges::partial_sort(found, found.begin() + static_cast<std::ptrdiff_t>(n),
                            std::ranges::greater{}, &std::pair<int, Choice>::first);
  std::vector<Choice> out;
  for (std::size_t i = 0; i < n; ++i) {
    Choice& c = found[i].second;
    if (c.target.empty()) c.target = "select " + c.label;
    c.label = shown(c.label, 160);
    out.push_back(std::move(c));
  }
  return out;
}

void choose(App& app, const Choice& choice) {
  close_overlays(app);
  const std::string_view target = choice.target;
  if (target.starts_with("action "))
    (void)act(app, target.substr(7));
  else if (target.starts_with("select "))
    (void)app.select_named(target.substr(7));
  else if (target.starts_with("recent ")) {
    const auto i = static_cast<std::size_t>(parse_index(target.substr(7)));
    if (i < app.recent.size()) app.open(OpenArgs(app.recent[i]));
  }
}

std::string selection_text(App& app) {
  const Selection& s = app.selection();
  if (app.session() == nullptr) return {};
  std::string out;
  if (s.tensor >= 0) {
    const TensorRow& row = app.session()->rows()[static_cast<std::size_t>(s.tensor)];
    const auto& t =
        app.session()->candidate()->checkpoint.tensors()[static_cast<std::size_t>(s.tensor)];
    out = fmt::format("{}\t{}\t[{}]\t{}", shown(row.name, 1000), dtype_name(row.dtype),
                      fmt::join(t.shape, ", "), row.bytes);
    if (s.cell) {
      out += fmt::format("\t{}\t{}", s.cell->row, s.cell->column);
      if (const CellFacts* facts = app.cell_facts(*s.cell))
        out += fmt::format("\t{}", facts->value);
    }
  } else if (s.expert >= 0) {
    out = fmt::format("layer {}\texpert {}", s.layer, s.expert);
    if (const auto* e = app.session()->expert(s.layer, s.expert)) {
      out += fmt::format("\t{}\t{}\t{}", e->error.value_or(0), e->tokens, e->saliency);
    }
  } else if (s.layer >= 0) {
    out = layer_text(app, s.layer);
  } else if (s.finding >= 0) {
    const auto& f = app.session()->results()->findings[static_cast<std::size_t>(s.finding)];
    out = fmt::format("{}\t{}\t{}", f.code, f.name, shown_again(f.message));
  } else if (s.token >= 0) {
    out = token_text(
        app.session()->metrics()->over_text->positions[static_cast<std::size_t>(s.token)]);
  }
  return out;
}

std::string selection_command(const App& app) {
  const OpenArgs& o = app.opened();
  std::string out = "ckpt-check gui";
  if (!o.target.empty()) out += " " + quoted(o.target);
  if (!o.results.empty()) out += " " + quoted(o.results);
  if (!o.reference.empty()) out += " --reference " + quoted(o.reference);
  const Selection& s = app.selection();
  if (app.session() != nullptr) {
    std::string name;
    if (s.finding >= 0) {
      name = app.session()->results()->findings[static_cast<std::size_t>(s.finding)].fingerprint();
    } else if (s.tensor >= 0) {
      name = app.session()->rows()[static_cast<std::size_t>(s.tensor)].name;
    } else if (s.expert >= 0) {
      name = fmt::format("expert {} {}", s.layer, s.expert);
    } else if (s.layer >= 0) {
      name = fmt::format("layer {}", s.layer);
    } else if (s.token >= 0) {
      name = fmt::format("token {}", s.token + 1);
    }
    // A name with control characters has no place in a command that somebody pastes.
    if (!name.empty() && shown(name, 4096) == name) out += " --open " + quoted(name);
  }
  return out + fmt::format(" --view {}", canvas_id(app.canvas));
}

}  // namespace ckpt::gui
