#pragma once
// What the canvases show, as data: the views draw it, the exports write it.

#include <string>
#include <vector>

#include "gui/state/app.h"

namespace ckpt::gui {

enum class Mark : std::uint8_t { line, points, bars };

struct Series {
  std::string name;
  Mark mark = Mark::line;
  std::vector<double> x;
  std::vector<double> y;
  double width = 0;  ///< of a bar, in units of x
};

/// A chart on two axes. Values that are not finite are left out of the drawing, not of the data.
struct Figure {
  std::string title;
  std::string x_label;
  std::string y_label;
  bool log_y = false;
  bool whole_x = false;  ///< x is a number of something
  std::vector<Series> series;
  std::string note;  ///< why there is nothing, or what one must know

  [[nodiscard]] bool empty() const;
};

/// Layers by experts; NaN where there is nothing.
struct Grid {
  std::string title;
  int rows = 0;
  int columns = 0;
  std::vector<double> values;

  [[nodiscard]] double at(int row, int column) const {
    return values[static_cast<std::size_t>(row) * static_cast<std::size_t>(columns) +
                  static_cast<std::size_t>(column)];
  }

  /// The largest finite value, 0 when there is none.
  [[nodiscard]] double high() const;
};

/// Values of the matrix on show, and of the reference over them with `compare`.
[[nodiscard]] Figure histogram_figure(App& app, bool compare);
/// Candidate against reference, cell by cell of some rows.
[[nodiscard]] Figure scatter_figure(App& app);
/// RMS error by group of columns, of the same rows.
[[nodiscard]] Figure group_error_figure(App& app);
/// A grid over all layers and experts; empty without experts.
[[nodiscard]] Grid expert_grid(const App& app, ExpertValue value);
/// Local and propagated error, KL cost and bits of each layer.
[[nodiscard]] Figure layers_figure(const App& app);
/// Overlap of the routers of both models by layer.
[[nodiscard]] Figure routing_figure(const App& app);
/// Tokens per expert of the selected layer.
[[nodiscard]] Figure routed_figure(const App& app);
/// KL along the text.
[[nodiscard]] Figure text_figure(const App& app);

/// Experts in the order of the list: by layer, or the largest value first.
struct ExpertPlace {
  int layer = 0;
  int expert = 0;
  double value = 0;
};

[[nodiscard]] std::vector<ExpertPlace> expert_order(const App& app);

}  // namespace ckpt::gui
