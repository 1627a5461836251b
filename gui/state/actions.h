#pragma once
// Everything that can be done, in one table: menu, palette, help, keys, scripts and tests use it.

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "gui/state/app.h"

namespace ckpt::gui {

/// `id` never changes. `keys` are chords as the help shows them, separated by a space.
struct Action {
  std::string_view id;
  std::string_view title;
  std::string_view keys;
  void (*run)(App& app);
};

[[nodiscard]] std::span<const Action> actions();
/// Null when there is none of that id.
[[nodiscard]] const Action* find_action(std::string_view id);
/// The action of a chord such as `Ctrl+Shift+P`, `J`, `{`; null when it has none.
[[nodiscard]] const Action* action_of_key(std::string_view chord);
/// Runs an action. False when there is none of that id.
bool act(App& app, std::string_view id);

/// One line of the palette: a command, a tensor, a finding.
struct Choice {
  std::string label;   ///< safe to show
  std::string target;  ///< what choose() understands
};

/// What fits the typed text, the best first, at most `most`.
[[nodiscard]] std::vector<Choice> palette_choices(const App& app, std::size_t most);
/// Runs the action or selects the thing that a choice names.
void choose(App& app, const Choice& choice);

/// Enter in an open panel: choose, go to a cell, open another repo, save.
void accept_overlay(App& app);
void close_overlays(App& app);

/// Stands for what the selection shows: name, facts, or the cell's value, as tab-separated text.
[[nodiscard]] std::string selection_text(App& app);
/// A command that shows the same, quoted for a shell.
[[nodiscard]] std::string selection_command(const App& app);

}  // namespace ckpt::gui
