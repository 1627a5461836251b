#pragma once
// All experts of all layers at once, in the order that was asked for: a grid, and a list.

#include <string>
#include <vector>

#include "gui/state/app.h"

namespace ckpt::gui {

/// Layers down, experts across, each axis in its order; NaN where there is nothing.
struct Grid {
  std::string title;
  int rows = 0;
  int columns = 0;
  std::vector<int> layers;   ///< number of the layer in each row
  std::vector<int> experts;  ///< number of the expert in each column
  std::vector<double> values;

  [[nodiscard]] double at(int row, int column) const {
    return values[static_cast<std::size_t>(row) * static_cast<std::size_t>(columns) +
                  static_cast<std::size_t>(column)];
  }

  /// The largest finite value, 0 when there is none.
  [[nodiscard]] double high() const;
};

/// A grid over all layers and experts in the order of the app; empty without experts.
[[nodiscard]] Grid expert_grid(const App& app, ExpertValue value);

/// `by error in layer 3`, `by number`: the order of one axis in words.
[[nodiscard]] std::string experts_order_text(const App& app);
[[nodiscard]] std::string layers_order_text(const App& app);

/// Number, the selected layer (or expert), mean over all, and again.
void next_expert_order(App& app);
void next_layer_order(App& app);
/// What is ordered by: the value on show, then each of the values.
void next_order_value(App& app);
/// Orders the experts by their values in one layer, or by number again; the same for layers.
void order_experts_by(App& app, int layer);
void order_layers_by(App& app, int expert);

/// Experts in the order of the list: by layer, or the largest value first.
struct ExpertPlace {
  int layer = 0;
  int expert = 0;
  double value = 0;
};

[[nodiscard]] std::vector<ExpertPlace> expert_order(const App& app);

}  // namespace ckpt::gui
