#include "gui/state/step.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "gui/state/actions.h"
#include "gui/state/expert_grid.h"
#include "gui/state/save.h"
#include "validator/base/text.h"

namespace ckpt::gui {
namespace {

/// `at` moved by `by` within [0, n), from just outside when nothing was selected.
int moved(std::int64_t at, int by, std::size_t n) {
  if (n == 0) return -1;
  const auto last = static_cast<std::int64_t>(n) - 1;
  if (at < 0) return by > 0 && by != kToTheEnd ? 0 : static_cast<int>(by > 0 ? last : 0);
  return static_cast<int>(std::clamp<std::int64_t>(at + by, 0, last));
}

void step_tensors(App& app, int by) {
  const auto& rows = app.list.rows();
  std::int64_t at = app.list.line_of(app.selection().tensor);
  at = moved(at, by, rows.size());
  // Branches are passed over: a step ends on a tensor, in the direction of the step.
  while (at >= 0 && at < static_cast<std::int64_t>(rows.size()) &&
         rows[static_cast<std::size_t>(at)].tensor < 0) {
    at += by > 0 ? 1 : -1;
  }
  if (at >= 0 && at < static_cast<std::int64_t>(rows.size())) {
    app.select_tensor(rows[static_cast<std::size_t>(at)].tensor);
  }
}

void step_experts(App& app, int by) {
  const auto order = expert_order(app);
  const auto at = std::ranges::find_if(order, [&](const ExpertPlace& p) {
    return p.layer == app.selection().layer && p.expert == app.selection().expert;
  });
  const int to = moved(at == order.end() ? -1 : at - order.begin(), by, order.size());
  if (to < 0) return;
  const ExpertPlace& p = order[static_cast<std::size_t>(to)];
  app.select_expert(p.layer, p.expert);
}

const results::Metrics* metrics_of(const App& app) {
  return app.session() == nullptr ? nullptr : app.session()->metrics();
}

/// Selects the part of an expert that stands where the selected one does in its expert.
void select_part(App& app, int layer, int expert) {
  const Session& s = *app.session();
  const std::int32_t here = s.expert_module(app.selection().layer, app.selection().expert);
  const std::int32_t there = s.expert_module(layer, expert);
  if (here < 0 || there < 0 || app.selection().module < here) {
    app.select_expert(layer, expert);
    return;
  }
  app.select_module(there + (app.selection().module - here));
}

}  // namespace

void step_list(App& app, int by) {
  if (app.session() == nullptr) return;
  switch (app.tab) {
    case ListTab::tensors:
      step_tensors(app, by);
      break;
    case ListTab::findings:
      step_finding(app, by);
      break;
    case ListTab::layers:
      app.select_layer(
          moved(app.selection().layer, by, static_cast<std::size_t>(app.session()->layers())));
      break;
    case ListTab::experts:
      step_experts(app, by);
      break;
    case ListTab::tokens:
      step_token(app, by);
      break;
  }
}

void step_layer(App& app, int by) {
  const Session* s = app.session();
  if (s == nullptr || s->layers() == 0) return;
  const Selection now = app.selection();
  const int layer = moved(now.layer, by, static_cast<std::size_t>(s->layers()));
  if (now.expert >= 0) {
    select_part(app, layer, now.expert);
    return;
  }
  if (now.module >= 0 && now.layer >= 0) {
    const auto& blueprint = *s->candidate()->blueprint;
    std::string name = blueprint.modules()[static_cast<std::size_t>(now.module)].name;
    const std::string part = fmt::format(".{}.", now.layer);
    if (const std::size_t at = name.find(part); at != std::string::npos) {
      name.replace(at, part.size(), fmt::format(".{}.", layer));
      if (const std::int32_t there = blueprint.find(name); there >= 0) {
        app.select_module(there);
        return;
      }
    }
  }
  app.select_layer(layer);
}

void step_expert(App& app, int by) {
  const Session* s = app.session();
  if (s == nullptr || s->experts() == 0) return;
  const Selection& now = app.selection();
  select_part(app, std::max(now.layer, 0),
              moved(now.expert, by, static_cast<std::size_t>(s->experts())));
}

void show_worst_expert(App& app) {
  const bool sorted = app.sort_experts;
  app.sort_experts = true;
  app.expert_value = ExpertValue::error;
  const auto order = expert_order(app);
  app.sort_experts = sorted;
  app.canvas = Canvas::experts;
  if (order.empty())
    app.say("no expert has an error in these results");
  else
    app.select_expert(order.front().layer, order.front().expert);
}

void step_finding(App& app, int by) {
  const Session* s = app.session();
  if (s == nullptr || s->results() == nullptr) return;
  const int to = moved(app.selection().finding, by, s->results()->findings.size());
  if (to >= 0) app.select_finding(to);
}

void step_token(App& app, int by) {
  const results::Metrics* m = metrics_of(app);
  if (m == nullptr || !m->over_text) return;
  app.select_token(moved(app.selection().token, by, m->over_text->positions.size()));
}

namespace {

/// Through the largest magnitudes, the largest first, and round again.
void step_outlier(App& app, const std::vector<std::pair<float, Cell>>& outliers, int by) {
  if (outliers.empty()) return;
  const auto n = static_cast<std::ptrdiff_t>(outliers.size());
  const auto& cell = app.selection().cell;
  const auto at =
      std::ranges::find_if(outliers, [&](const auto& o) { return cell && o.second == *cell; });
  const std::ptrdiff_t to =
      at == outliers.end() ? (by > 0 ? 0 : n - 1) : (at - outliers.begin() + by + n) % n;
  app.select_cell(outliers[static_cast<std::size_t>(to)].second);
  app.say(fmt::format("no NaN and no infinity: magnitude {} of the {} largest", to + 1, n));
}

}  // namespace

void step_special(App& app, int by) {
  if (app.session() == nullptr) return;
  const Pane& pane = app.pane(app.shown_source());
  if (pane.census == nullptr) return;
  const auto& specials = pane.census->specials;
  if (specials.empty()) {
    step_outlier(app, pane.census->outliers, by);
    return;
  }
  const auto before = [](const Cell& a, const Cell& b) {
    return a.row != b.row ? a.row < b.row : a.column < b.column;
  };
  const auto& cell = app.selection().cell;
  std::int64_t to = by > 0 ? 0 : static_cast<std::int64_t>(specials.size()) - 1;
  if (cell) {
    const auto at = by > 0 ? std::upper_bound(specials.begin(), specials.end(), *cell, before)
                           : std::lower_bound(specials.begin(), specials.end(), *cell, before);
    to = at - specials.begin() - (by > 0 ? 0 : 1);
    to = (to + static_cast<std::int64_t>(specials.size())) %
         static_cast<std::int64_t>(specials.size());
  }
  app.select_cell(specials[static_cast<std::size_t>(to)]);
}

void step_cell(App& app, int rows, int columns) {
  if (app.session() == nullptr) return;
  const Pane& pane = app.pane(app.shown_source());
  if (pane.matrix == nullptr || pane.matrix->rows() == 0 || pane.matrix->columns() == 0) return;
  const Cell now = app.selection().cell.value_or(Cell{});
  const auto step = [](std::uint64_t at, int by, std::uint64_t n) {
    if (by < 0) return at == 0 ? 0 : at - 1;
    return std::min(at + static_cast<std::uint64_t>(by), n - 1);
  };
  app.select_cell({step(now.row, rows, pane.matrix->rows()),
                   step(now.column, columns, pane.matrix->columns())});
}

void fold_selected(App& app, bool open) {
  if (app.session() == nullptr || app.selection().tensor < 0) return;
  const std::string_view name =
      app.session()->rows()[static_cast<std::size_t>(app.selection().tensor)].name;
  const std::size_t dot = name.rfind('.');
  if (open)
    app.list.reveal(app.selection().tensor);
  else if (dot != std::string_view::npos)
    app.list.set_open(name.substr(0, dot), false);
}

void show_selection(App& app) {
  const Selection& s = app.selection();
  if (s.tensor >= 0 || s.module >= 0)
    app.canvas = Canvas::heat_map;
  else if (s.expert >= 0)
    app.canvas = Canvas::experts;
  else if (s.layer >= 0)
    app.canvas = Canvas::layers;
  else if (s.token >= 0)
    app.canvas = Canvas::text;
}

void toggle_difference(App& app) {
  app.look.source = app.look.source == Source::difference ? Source::decoded : Source::difference;
}

void next_source(App& app) {
  app.look.source =
      static_cast<Source>((static_cast<std::size_t>(app.look.source) + 1) % kSources.size());
  app.look.fitted = true;
}

void lock_range(App& app) {
  app.look.locked = !app.look.locked;
  if (app.session() != nullptr && app.look.locked) {
    app.look.high = app.coloring(app.pane(app.shown_source())).high;
  }
}

void scale_range(App& app, float factor) {
  if (app.session() == nullptr) return;
  const float high = app.coloring(app.pane(app.shown_source())).high * factor;
  if (std::isfinite(high) && high > 0) app.look.high = high;
}

void zoom_view(App& app, double factor) {
  app.look.fitted = false;
  app.look.view =
      zoomed(app.look.view, factor, app.look.size.width / 2.0, app.look.size.height / 2.0);
}

void show_actual(App& app) {
  app.look.fitted = false;
  app.look.view.cell_width = 1;
  app.look.view.cell_height = 1;
}

namespace {

void open_panel(App& app, bool Overlays::*which, std::string text) {
  app.overlays = {};
  app.overlays.*which = true;
  app.overlays.text = std::move(text);
}

/// `3, 17` or `3 17`.
std::optional<Cell> parse_cell(std::string text) {
  std::ranges::replace(text, ',', ' ');
  unsigned long long row = 0;
  unsigned long long column = 0;
  int used = 0;
  // NOLINTNEXTLINE(cert-err34-c): overflow clamps, and the cell is checked against the matrix
  if (std::sscanf(text.c_str(), "%llu %llu %n", &row, &column, &used) != 2) return std::nullopt;
  if (static_cast<std::size_t>(used) != text.size()) return std::nullopt;
  return Cell{row, column};
}

}  // namespace

void open_palette(App& app) {
  open_panel(app, &Overlays::palette, "");
}

void open_opener(App& app) {
  open_panel(app, &Overlays::open, "");
}

void open_recent(App& app) {
  if (app.recent.empty())
    app.say("nothing was opened before");
  else
    open_panel(app, &Overlays::palette, "recent: ");
}

void open_goto(App& app) {
  open_panel(app, &Overlays::goto_cell, "");
}

void open_saver(App& app) {
  open_panel(app, &Overlays::save, default_save_name(app));
}

void focus_filter(App& app) {
  app.tab = ListTab::tensors;
  app.focus_filter = true;
}

void close_overlays(App& app) {
  app.overlays = {};
  app.cell_keys = false;
}

void accept_overlay(App& app) {
  const Overlays open = app.overlays;
  if (open.palette) {
    const auto choices = palette_choices(app, 50);
    if (open.choice < choices.size()) choose(app, choices[open.choice]);
    return;
  }
  close_overlays(app);
  if (open.open && !open.text.empty())
    app.open({.target = open.text, .results = {}, .reference = {}});
  if (open.save && !open.text.empty()) save_canvas(app, open.text);
  if (!open.goto_cell || app.session() == nullptr) return;
  const auto cell = parse_cell(open.text);
  const Pane& pane = app.pane(app.shown_source());
  if (!cell || pane.matrix == nullptr || cell->row >= pane.matrix->rows() ||
      cell->column >= pane.matrix->columns()) {
    app.say(fmt::format("no cell `{}` here", shown(open.text, 60)));
    return;
  }
  app.select_cell(*cell);
}

}  // namespace ckpt::gui
