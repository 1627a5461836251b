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

/// Values of the matrix on show, and of the reference over them with `compare`.
[[nodiscard]] Figure histogram_figure(App& app, bool compare);
/// Candidate against reference, cell by cell of some rows.
[[nodiscard]] Figure scatter_figure(App& app);
/// RMS error by group of columns, of the same rows.
[[nodiscard]] Figure group_error_figure(App& app);
/// Local and propagated error, KL cost and bits of each layer.
[[nodiscard]] Figure layers_figure(const App& app);
/// Overlap of the routers of both models by layer.
[[nodiscard]] Figure routing_figure(const App& app);
/// Tokens that each router sent to the experts of the selected layer, the first without one.
[[nodiscard]] Figure routed_figure(const App& app);
/// KL along the text.
[[nodiscard]] Figure text_figure(const App& app);

}  // namespace ckpt::gui
