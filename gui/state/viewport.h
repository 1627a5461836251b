#pragma once
// Which cells of a matrix are seen, and the picture of them.

#include <cstdint>
#include <functional>
#include <vector>

#include "gui/state/color_map.h"
#include "gui/state/tiles.h"

namespace ckpt::gui {

/// The window onto a matrix: its upper left corner in cells, and pixels per cell on each axis.
struct Viewport {
  double row = 0;
  double column = 0;
  double cell_height = 1;
  double cell_width = 1;
  friend bool operator==(const Viewport&, const Viewport&) = default;

  [[nodiscard]] double x_of(double at_column) const { return (at_column - column) * cell_width; }

  [[nodiscard]] double y_of(double at_row) const { return (at_row - row) * cell_height; }
};

struct PixelSize {
  int width = 0;
  int height = 0;
  friend bool operator==(const PixelSize&, const PixelSize&) = default;
};

/// All of the matrix, each axis by itself.
[[nodiscard]] Viewport fit(const Matrix& matrix, PixelSize size);
/// Zooms by `factor` so that the cell under pixel (x, y) stays there; up to 200 pixels a cell.
[[nodiscard]] Viewport zoomed(Viewport view, double factor, double x, double y);
/// Moves the view so that it does not leave the matrix.
[[nodiscard]] Viewport kept_inside(Viewport view, const Matrix& matrix, PixelSize size);
/// The view moved by as little as shows `cell` whole.
[[nodiscard]] Viewport revealing(Viewport view, const Matrix& matrix, PixelSize size,
                                 std::uint64_t row, std::uint64_t column);

/// Rows of RGBA pixels.
struct Picture {
  PixelSize size;
  std::vector<Rgba> pixels;
  bool complete = false;  ///< every pixel is from an exact tile of its own level

  [[nodiscard]] Rgba at(int x, int y) const {
    return pixels[static_cast<std::size_t>(y) * static_cast<std::size_t>(size.width) +
                  static_cast<std::size_t>(x)];
  }
};

struct ComposeArgs {
  const Matrix& matrix;
  std::uint64_t matrix_number = 0;
  Viewport view;
  PixelSize size;
  Reduce reduce = Reduce::largest;
  Coloring coloring;
  TileStore& tiles;
  /// Called for each tile that is wanted and absent, or there as a sample only; `blank` when
  /// nothing stands in its place yet.
  std::function<void(const TileKey&, bool blank)> request;
};

/// Draws what the store has: a tile that is not there is drawn from a coarser one, or in the colour
/// that says so. Outside of the matrix pixels are transparent.
[[nodiscard]] Picture compose(const ComposeArgs& args);

/// The level at which a pixel stands for at most one cell, for `pixels_per_cell` below 1.
[[nodiscard]] std::uint8_t level_of(double pixels_per_cell);

}  // namespace ckpt::gui
