#include "gui/state/viewport.h"

#include <algorithm>
#include <cmath>

namespace ckpt::gui {
namespace {

constexpr double kLargestCell = 200;
constexpr std::uint8_t kHighestLevel = 40;

/// One axis of the picture: which cell stands at each pixel, -1 outside.
std::vector<std::int64_t> cells_along(double first, double per_cell, int pixels,
                                      std::uint64_t cells) {
  std::vector<std::int64_t> out(static_cast<std::size_t>(std::max(pixels, 0)), -1);
  for (std::size_t p = 0; p < out.size(); ++p) {
    const double at = std::floor(first + (static_cast<double>(p) + 0.5) / per_cell);
    if (at >= 0 && at < static_cast<double>(cells)) out[p] = static_cast<std::int64_t>(at);
  }
  return out;
}

/// A run of pixels that lie in the same tile.
struct Run {
  std::size_t begin = 0;
  std::size_t end = 0;
  std::uint64_t tile = 0;
};

std::vector<Run> runs_of(const std::vector<std::int64_t>& cells, std::uint8_t level) {
  std::vector<Run> out;
  for (std::size_t p = 0; p < cells.size(); ++p) {
    if (cells[p] < 0) continue;
    const std::uint64_t tile = (static_cast<std::uint64_t>(cells[p]) >> level) / kTileSide;
    if (!out.empty() && out.back().end == p && out.back().tile == tile)
      ++out.back().end;
    else
      out.push_back({p, p + 1, tile});
  }
  return out;
}

/// The tile itself, else the nearest coarser one that is there; `key` becomes its key.
const Tile* best_tile(TileStore& tiles, TileKey& key) {
  if (const Tile* tile = tiles.find(key)) return tile;
  for (int i = 0; i < 12; ++i) {
    ++key.level_x;
    ++key.level_y;
    key.x /= 2;
    key.y /= 2;
    if (const Tile* tile = tiles.find(key)) return tile;
  }
  return nullptr;
}

struct Filling {
  const std::vector<std::int64_t>& rows;
  const std::vector<std::int64_t>& columns;
  const Coloring& coloring;
};

void fill(Picture& picture, const Run& down, const Run& across, const Tile* tile,
          const TileKey& key, const Filling& from) {
  for (std::size_t y = down.begin; y < down.end; ++y) {
    const std::uint64_t tile_row =
        (static_cast<std::uint64_t>(from.rows[y]) >> key.level_y) - key.y * kTileSide;
    for (std::size_t x = across.begin; x < across.end; ++x) {
      Rgba& to = picture.pixels[y * static_cast<std::size_t>(picture.size.width) + x];
      const std::uint64_t tile_column =
          (static_cast<std::uint64_t>(from.columns[x]) >> key.level_x) - key.x * kTileSide;
      if (tile == nullptr || tile_row >= tile->rows || tile_column >= tile->columns) {
        to = kNotReadyColor;
      } else {
        to = color_of(tile->values[tile_row * tile->columns + tile_column], from.coloring);
      }
    }
  }
}

}  // namespace

std::uint8_t level_of(double pixels_per_cell) {
  if (!(pixels_per_cell < 1) || !(pixels_per_cell > 0)) return 0;
  const double level = std::floor(std::log2(1 / pixels_per_cell) + 1e-9);
  return static_cast<std::uint8_t>(std::min(level, double{kHighestLevel}));
}

Viewport fit(const Matrix& matrix, PixelSize size) {
  Viewport view;
  const auto rows = static_cast<double>(std::max<std::uint64_t>(matrix.rows(), 1));
  const auto columns = static_cast<double>(std::max<std::uint64_t>(matrix.columns(), 1));
  view.cell_height = std::min(std::max(size.height, 1) / rows, kLargestCell);
  view.cell_width = std::min(std::max(size.width, 1) / columns, kLargestCell);
  return view;
}

Viewport zoomed(Viewport view, double factor, double x, double y) {
  const double row = view.row + y / view.cell_height;
  const double column = view.column + x / view.cell_width;
  constexpr double kSmallest = 1e-9;
  view.cell_height = std::clamp(view.cell_height * factor, kSmallest, kLargestCell);
  view.cell_width = std::clamp(view.cell_width * factor, kSmallest, kLargestCell);
  view.row = row - y / view.cell_height;
  view.column = column - x / view.cell_width;
  return view;
}

Viewport kept_inside(Viewport view, const Matrix& matrix, PixelSize size) {
  const double down = size.height / view.cell_height;
  const double across = size.width / view.cell_width;
  view.row = std::clamp(view.row, 0.0, std::max(0.0, static_cast<double>(matrix.rows()) - down));
  view.column =
      std::clamp(view.column, 0.0, std::max(0.0, static_cast<double>(matrix.columns()) - across));
  return view;
}

Viewport revealing(Viewport view, const Matrix& matrix, PixelSize size, std::uint64_t row,
                   std::uint64_t column) {
  const double down = size.height / view.cell_height;
  const double across = size.width / view.cell_width;
  const auto r = static_cast<double>(row);
  const auto c = static_cast<double>(column);
  if (r < view.row || r + 1 > view.row + down) view.row = r + 0.5 - down / 2;
  if (c < view.column || c + 1 > view.column + across) view.column = c + 0.5 - across / 2;
  return kept_inside(view, matrix, size);
}

Picture compose(const ComposeArgs& args) {
  Picture picture;
  picture.size = args.size;
  picture.complete = true;
  picture.pixels.assign(static_cast<std::size_t>(std::max(args.size.width, 0)) *
                            static_cast<std::size_t>(std::max(args.size.height, 0)),
                        Rgba{0, 0, 0, 0});
  const auto rows =
      cells_along(args.view.row, args.view.cell_height, args.size.height, args.matrix.rows());
  const auto columns =
      cells_along(args.view.column, args.view.cell_width, args.size.width, args.matrix.columns());
  TileKey key{args.matrix_number, args.reduce, level_of(args.view.cell_height),
              level_of(args.view.cell_width)};
  const auto across = runs_of(columns, key.level_x);
  for (const Run& down : runs_of(rows, key.level_y)) {
    for (const Run& along : across) {
      key.y = down.tile;
      key.x = along.tile;
      TileKey found = key;
      const Tile* tile = best_tile(args.tiles, found);
      if (tile == nullptr || tile->sampled || found != key) {
        picture.complete = false;
        if (args.request) args.request(key, tile == nullptr);
      }
      fill(picture, down, along, tile, found, {rows, columns, args.coloring});
    }
  }
  return picture;
}

}  // namespace ckpt::gui
