#pragma once
// Texts about what is open and selected: the overview and the inspector, with links.

#include <functional>
#include <string>
#include <vector>

#include "gui/state/app.h"

namespace ckpt::gui {

enum class Tone : std::uint8_t { plain, heading, good, warning, bad, faint };

/// One line; with `target` it can be clicked, and choose() understands the target. Safe to show.
struct Line {
  std::string text;
  Tone tone = Tone::plain;
  std::string target;
};

/// Identity, loaders, findings, distance: what the command line says, with links.
[[nodiscard]] std::vector<Line> overview_lines(const App& app);

struct Fact {
  std::string name;
  std::string value;
};

/// Facts about the selection and where one can go from it.
struct Inspected {
  std::string title;
  std::vector<Fact> facts;
  std::vector<Line> links;
};

[[nodiscard]] Inspected inspect_selection(App& app);

/// All of it, or of the overview when nothing is selected, as lines of tab-separated text.
[[nodiscard]] std::string facts_text(App& app);

/// Whether an error of a layer is its own: words from its local and propagated error.
[[nodiscard]] std::string origin_of_error(const results::LayerMetrics& layer,
                                          const results::LayerMetrics* before);

/// One of the likeliest tokens with its probability: ` the (62.1 %)`.
[[nodiscard]] std::string chance_text(const results::TokenChance& chance);

/// The worst position that stands at a place of the text, or null.
[[nodiscard]] const results::WorstPosition* worst_at(const results::OverText& text,
                                                     std::uint64_t sequence,
                                                     std::uint64_t position);

/// What the bottom line says of a cell: indices, value, code, zero, scale, group, reference, error
/// in steps.
[[nodiscard]] std::string cell_text(const CellFacts& facts);

}  // namespace ckpt::gui
