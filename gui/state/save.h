#pragma once
// Saving what a canvas shows.

#include <string>

#include "gui/state/expert_grid.h"
#include "gui/state/figure.h"

namespace ckpt::gui {

/// `ckpt-check-heat_map.png`, in the working directory.
[[nodiscard]] std::string default_save_name(const App& app);
/// Saves the canvas as the extension of `path` says: png, csv, npy, svg. The message of the app
/// tells how it went. `app.encode_png` must be set for PNG.
void save_canvas(App& app, const std::string& path);

/// NumPy format 1.0 of float32 [rows, columns], C order. Errors: as Matrix::read, limit (more than
/// 2^28 cells), cancelled.
[[nodiscard]] Result<std::string> npy_of(const Matrix& matrix, std::stop_token stop);
/// One row per value of x: `x`, then a column for each series. Series of one x are joined.
[[nodiscard]] std::string csv_of(const Figure& figure);
/// One row per place, in the order shown.
[[nodiscard]] std::string csv_of(const Grid& grid);
/// Rows [row, row_end) and columns of a block of a matrix, with a header of column numbers.
[[nodiscard]] Result<std::string> csv_of(const Matrix& matrix, const Block& block);
/// A drawing of 800 x 400 units with a title on each mark.
[[nodiscard]] std::string svg_of(const Figure& figure);
[[nodiscard]] std::string svg_of(const Grid& grid);

}  // namespace ckpt::gui
