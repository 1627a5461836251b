#pragma once
// What the actions do: steps through lists, layers, experts, findings, cells; panels; the view.

#include "gui/state/app.h"

namespace ckpt::gui {

inline constexpr int kToTheEnd = 1 << 30;

/// Moves the selection by `by` lines of the list on show, stopping at its ends.
void step_list(App& app, int by);
/// The module of the same name in another layer or expert; without one, the layer or expert.
void step_layer(App& app, int by);
void step_expert(App& app, int by);
void show_worst_expert(App& app);
void step_finding(App& app, int by);
void step_token(App& app, int by);
/// To the next cell, in row order, that holds NaN or an infinity; without any, through the
/// largest magnitudes.
void step_special(App& app, int by);
void step_cell(App& app, int rows, int columns);
/// Opens or closes the branch of the tree above the selection.
void fold_selected(App& app, bool open);
/// The canvas that says most about the selection.
void show_selection(App& app);

void toggle_difference(App& app);
void next_source(App& app);
void lock_range(App& app);
/// Makes the range of the colours `factor` times as wide.
void scale_range(App& app, float factor);
void zoom_view(App& app, double factor);
void show_actual(App& app);

void open_palette(App& app);
void open_opener(App& app);
/// The palette with what was opened before.
void open_recent(App& app);
void open_goto(App& app);
void open_saver(App& app);
void focus_filter(App& app);

template <std::size_t N>
void show_canvas(App& app) {
  app.canvas = static_cast<Canvas>(N);
}

template <Source S>
void show_source(App& app) {
  app.look.source = S;
  if (app.canvas != Canvas::histogram) app.canvas = Canvas::heat_map;
}

template <std::size_t N>
void show_tab(App& app) {
  app.tab = static_cast<ListTab>(N);
  app.scroll_to_selection = true;
}

}  // namespace ckpt::gui
